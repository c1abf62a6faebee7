"""Verbs that tell of a look: in the ledger, on its page, to Prometheus and in Evidently's pictures."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tasks import record
from tasks.adapters import home, ledger, reports, snapshots
from tasks.core import cron, monitor_page
from tasks.core.decisions import Entry
from tasks.core.lake.values import LakeSnapshot
from tasks.core.markdown import leading_to
from tasks.core.monitoring import MonitorReport, facts_of, with_standing
from tasks.core.sight import Sight
from tasks.post import reference_rows
from tasks.record import task

if TYPE_CHECKING:
    from tasks.core.drift import FeatureDrift, Separation
    from tasks.core.monitoring import Memory, Performance
    from tasks.core.retraining import Choice
    from tasks.core.snapshot import Case
    from tasks.core.watching import Estimate
    from tasks.post import Post, Seen

SHOWN_LOOKS = 60
log = logging.getLogger("evergreen")


@task
def report(
    post: Post,
    seen: Seen,
    found: tuple[str, Performance | None, Estimate | None, tuple[FeatureDrift, ...], Separation | None],
    decided: tuple[Choice, Memory],
) -> MonitorReport:
    """Write down what was found and decided: in the ledger, as a page, and as the value that is returned."""
    (broken, performance, estimated, features, together), (choice, memory) = found, decided
    memory = with_standing(memory, choice, is_judged=performance is not None and not broken)
    name, epoch = post.case.name, post.epoch
    path = post.case.settings.home / "reports" / name / "monitor.html"
    told = MonitorReport(
        use_case=name,
        version=epoch.version,
        epoch=epoch.epoch,
        window=seen.window,
        choice=choice,
        memory=memory,
        broken=broken,
        performance=performance,
        estimated=estimated,
        features=features,
        together=together,
        page=str(path),
        held=_count_held(post),
        next_check=_next_check(post),
    )
    inputs = {"memory": memory.as_json(), **{key: value for key, value in told.as_json().items() if key not in ("use_case", "report")}}
    at, reason = post.now.isoformat(timespec="seconds"), "; ".join(choice.reasons)
    row = ledger.decide(post.address, Entry(name, "monitor", epoch.version, choice.code, reason, home.person(), at, inputs=inputs))
    told = replace(told, row=row.number)
    _write_page(post.case, told)
    snapshots.write_text(monitor_page.as_prometheus(told, post.now.timestamp()), post.case.settings.home / "metrics" / f"{name}.prom")
    log.info("%s", told.state_message)
    return told


def _next_check(post: Post) -> str:
    planned = post.case.use_case.schedule.monitor
    due = cron.next_after(planned, post.now) if planned else None
    return due.isoformat(timespec="minutes") if due else ""


def _count_held(post: Post) -> int:
    held, settled = set[str](), set[str]()
    for batch in ledger.batches(post.address, post.case.name):
        (held if batch.decision == "held" else settled).add(batch.digest)
    return len(held - settled)


def _last_looks(case: Case) -> list[Entry]:
    return ledger.last_decisions(case.settings.ledger_address, case.name, "monitor", SHOWN_LOOKS)


def _write_page(case: Case, told: MonitorReport) -> None:
    """Write the page, unless a later look has."""
    looks = _last_looks(case)
    if looks[-1].number == told.row:
        snapshots.write_text(monitor_page.build(told, looks), Path(told.page))


@task
def conclude(case: Case, told: MonitorReport, done: str = "") -> MonitorReport:
    """Say on the page and in Prefect what was done about a look."""
    told = replace(told, done=done)
    if done:
        _write_page(case, told)
    looks = [entry for entry in _last_looks(case) if entry.number <= told.row]
    record.publish_text(f"{case.name}-monitor", monitor_page.as_markdown(told, looks, case.settings.link_to(told.page)))
    return told


@task
def draw(post: Post, seen: Seen, told: MonitorReport) -> MonitorReport:
    """Let Evidently draw the window beside the champion's rows: in its workspace, and as a page to which page and run lead."""
    drawing = Path(told.page).with_name("evidently.html")
    html = _draw(post, seen, told) if post.case.use_case.monitor.pictures and seen.window.rows else ""
    if not html:
        drawing.unlink(missing_ok=True)  # of another look
        return told
    snapshots.write_text(html, drawing)
    told = replace(told, drawing=str(drawing))
    _write_page(post.case, told)
    link = leading_to("The rows of the last look beside those of the champion", post.case.settings.link_to(told.drawing))
    record.publish_text(f"{post.case.name}-evidently", link)
    return told


def _draw(post: Post, seen: Seen, told: MonitorReport) -> str:
    log.info("drawing what came, with Evidently")
    reference, home_folder = reference_rows(post), post.case.settings.home
    said = {"prediction": seen.said.values} | {f"proba_{name}": seen.said.of_class(name) for name in seen.said.classes}
    sight = Sight(
        use_case=post.case.name,
        task=post.version.attempt.task,
        reference=reference,
        current=seen.df.assign(**said),
        features=told.features,
        numbers=tuple(str(name) for name in reference if reference[name].dtype.kind == "f"),
        target=post.version.attempt.target,
        at=post.now,
        facts=facts_of(told),
        decision=told.choice.outcome,
        rows=(LakeSnapshot.from_text(post.epoch.lake).rows if post.epoch.lake else len(reference), seen.window.rows),
        personal=post.case.use_case.pii,
        because="; ".join(told.choice.reasons),
        least_effect=post.case.use_case.monitor.effect,
    )
    rendered = reports.render(sight)
    reports.keep(sight, rendered, home_folder / "evidently")
    return rendered.html
