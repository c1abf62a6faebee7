"""What Prefect's server plans of the schedules that are deployed, by a clock that is made to go over the changes of summer time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import yaml

DEPLOYED = yaml.safe_load((Path(__file__).parents[1] / "unit" / "deployments.yaml").read_text(encoding="utf-8"))["deployments"]
# Zones, and the days of 2027 on which their clocks change.
ZONES = {
    "Europe/Berlin": ("2027-03-28", "2027-10-31"),
    "Europe/London": ("2027-03-28", "2027-10-31"),
    "America/New_York": ("2027-03-14", "2027-11-07"),
    "America/Los_Angeles": ("2027-03-14", "2027-11-07"),
    "America/Santiago": ("2027-04-04", "2027-09-05"),
    "Australia/Sydney": ("2027-04-04", "2027-10-03"),
    "Australia/Lord_Howe": ("2027-04-04", "2027-10-03"),
    "Pacific/Auckland": ("2027-04-04", "2027-09-26"),
}
PLAN = """
import asyncio, json, os, sys, time
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo
folder, cron, zone_of_cron, zones = sys.argv[1], sys.argv[2], sys.argv[3], json.loads(sys.argv[4])
os.environ["PREFECT_API_DATABASE_CONNECTION_URL"] = f"sqlite+aiosqlite:///{folder}/prefect.db"
from prefect.server import models
from prefect.server.database import provide_database_interface
from prefect.server.schemas.core import Deployment, DeploymentSchedule, Flow
from prefect.server.schemas.schedules import CronSchedule

async def main():
    db = provide_database_interface()
    await db.create_db()
    schedule = DeploymentSchedule(schedule=CronSchedule(cron=cron, timezone=zone_of_cron))
    async with db.session_context(begin_transaction=True) as session:
        flow = await models.flows.create_flow(session=session, flow=Flow(name="monitor"))
        deployment = Deployment(name="houses", flow_id=flow.id, schedules=[schedule])
        deployed = (await models.deployments.create_deployment(session=session, deployment=deployment)).id
    for zone, days in zones.items():
        os.environ["TZ"] = zone
        time.tzset()
        for day in days:
            midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone))
            for hours in (0, 3):
                clock = datetime.fromtimestamp(midnight.timestamp() + 3600 * hours, timezone.utc)  # as Prefect asks it
                for _ in range(2):  # the server is killed after it planned, and begins anew
                    async with db.session_context(begin_transaction=True) as session:
                        asked = {"start_time": clock, "min_runs": 3, "max_runs": 20, "min_time": timedelta(hours=3)}
                        await models.deployments.schedule_runs(session=session, deployment_id=deployed, **asked)
    async with db.session_context() as session:
        runs = await models.flow_runs.read_flow_runs(session=session, limit=10_000)
    print(json.dumps([run.next_scheduled_start_time.timestamp() for run in runs]))

asyncio.run(main())
"""


def test_over_both_changes_of_the_clock_in_eight_zones_each_period_is_planned_exactly_once(tmp_path: Path) -> None:
    schedules = [schedule for entry in DEPLOYED for schedule in entry.get("schedules", ())]
    assert {schedule["timezone"] for schedule in schedules} == {"UTC"}
    often = next(schedule for schedule in schedules if schedule["cron"] == "*/15 * * * *")
    asked = [str(tmp_path), often["cron"], often["timezone"], json.dumps(ZONES)]
    done = subprocess.run(
        [sys.executable, "-c", PLAN, *asked], env={**os.environ, "PREFECT_HOME": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    planned = json.loads(done.stdout)
    assert len(planned) == len(set(planned)), "none is planned twice"
    midnights = {datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone)).timestamp() for zone, days in ZONES.items() for day in days}
    periods = {midnight + 900 * place for midnight in midnights for place in range(4 * 6)}  # each is on a quarter of an hour in UTC too
    assert periods <= {*planned}, "none is left out"
