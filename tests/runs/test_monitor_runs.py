"""A champion under watch as Prefect records it: what came, what was decided, and what was done."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from tasks import cards
from tasks.adapters import ledger, told
from tasks.adapters.home import settings
from tasks.core.errors import UsageError
from tasks.core.lake.values import LakeSnapshot
from tasks.core.options import CardOptions

if TYPE_CHECKING:
    from conftest import Project

    from tasks.core.monitoring import MonitorReport

ROWS, FEW = 240, 60


def rows(seed: int, count: int = ROWS, turn: float = 1.0) -> pd.DataFrame:
    """Draw rows whose target depends on `a`, and with another turn otherwise."""
    draw = np.random.default_rng(seed)
    a, b = draw.normal(50, 9, count).round(3), draw.normal(size=count).round(3)
    is_high = turn * (a - 50) / 9 + 0.3 * draw.normal(size=count) > 0
    return pd.DataFrame({"id": [f"{seed}-{n}" for n in range(count)], "a": a, "b": b, "y": np.where(is_high, "high", "low")})


def shifted(seed: int) -> pd.DataFrame:
    """Draw rows of which the champion predicts another mix."""
    return rows(seed, 3 * ROWS).query("a > 50")


def begin(project: Project, name: str, *, first: int = 2 * ROWS, **values: object) -> None:
    """Ingest rows and train on them."""
    project.write_use_case(name, key=["id"], target="y", candidates=["logistic"], **{"monitor": {"pictures": False}, **values})
    deliver(project, name, rows(0, first))
    assert project.train(use_case=name).report.decision.verdict == "promoted"


def deliver(project: Project, name: str, df: pd.DataFrame, **options: object) -> None:
    what = f"{name}-{df['id'].iloc[0]}-{len(df.columns)}"
    project.ingest(use_case=name, data=project.write_table(what, df), **options)


def look(project: Project, name: str) -> MonitorReport:
    return project.monitor(use_case=name).report


def test_a_look_tells_what_came_what_it_shows_and_what_was_decided(project: Project) -> None:
    begin(project, "quiet")
    deliver(project, "quiet", rows(1, FEW))
    run = project.monitor(use_case="quiet")
    told = run.report.as_json()
    assert (run.state.name, told["decision"]["code"], told["data"]["verdict"]) == ("Kept", "keep", "sound")
    assert (told["window"]["rows"], told["window"]["labelled"], told["window"]["folded"]) == (FEW, FEW, FEW)
    assert {signal["name"]: signal["fired"] for signal in told["signals"]} == dict.fromkeys(
        ("performance", "growth", "staleness"),
        False,  # 60 rows are too few to show that predictions have shifted
    )
    assert told["performance"]["value"] < 2 * told["performance"]["reference"] < 0.5
    assert told["performance"]["estimated"]["value"] == pytest.approx(told["performance"]["value"], abs=0.1)
    assert {feature["name"] for feature in told["features"]} == {"a", "b"}
    page = html.unescape(Path(told["report"]).read_text(encoding="utf-8"))
    assert "because no signal reaches its limit" in page
    artifact = str(run.artifacts["quiet-monitor"].data)
    assert "**Kept**: because no signal reaches its limit" in artifact
    assert artifact.startswith(f"The page of the last look: `{told['report']}`")
    assert 'evergreen_new_labels{use_case="quiet"} 60' in (settings().home / "metrics" / "quiet.prom").read_text(encoding="utf-8")

    again = look(project, "quiet")
    assert (again.window.rows, again.window.labelled, again.choice.code) == (0, 0, "keep")
    assert again.choice.reasons == ("no label has come since the last look",)
    looks = ledger.last_decisions(settings().ledger_address, "quiet", "monitor", 10)
    assert [(entry.code, entry.version) for entry in looks] == [("keep", 1), ("keep", 1)]


def test_labels_that_come_late_are_looked_at_once_and_estimated_before(project: Project) -> None:
    begin(project, "late")
    came = rows(1)
    deliver(project, "late", came.drop(columns="y"))
    early = look(project, "late")
    assert early.performance is None
    assert early.estimated is not None
    deliver(project, "late", came[["id", "y"]].iloc[:30], labels=True)
    few = look(project, "late")
    assert (few.window.labelled, few.window.folded) == (30, 0)
    assert few.choice.reasons == ("30 labels have come, which are too few",)
    deliver(project, "late", came[["id", "y"]], labels=True)
    late = look(project, "late")
    assert (late.window.rows, late.window.folded, late.window.corrected) == (0, ROWS, 0)
    assert late.window.lag_days is not None
    assert late.performance is not None
    assert early.estimated.holds(late.performance.now)
    deliver(project, "late", came[["id", "y"]].iloc[:60].assign(y=lambda df: df["y"].map({"high": "low", "low": "high"})), labels=True)
    assert (look(project, "late").window.labelled, look(project, "late").choice.code) == (0, "keep")


def test_rows_that_no_key_names_count_with_their_labels_however_many_equal_ones_there_were(project: Project) -> None:
    values = {"candidates": ["logistic"], "monitor": {"pictures": False}, "retrain": {"growth": 2}}
    project.write_use_case("dice", target="y", **values)
    for day, count in enumerate((4 * ROWS, 3 * FEW)):
        thrown = rows(day, count).assign(a=lambda df: (df["a"] / 4).round(), b=lambda df: df["b"].round()).drop(columns="id")
        project.ingest(use_case="dice", data=project.write_table(f"dice-{day}", thrown))
        if not day:
            project.train(use_case="dice")
    report = look(project, "dice")
    assert (report.window.rows, report.window.folded, report.window.corrected, report.window.lag_days) == (3 * FEW, 3 * FEW, 0, (0, 0))
    assert (report.choice.code, report.estimated) == ("keep", None)
    project.ingest(use_case="dice", data=project.write_table("dice-again", thrown.sample(frac=1, random_state=0)))
    held = ledger.batches(settings().ledger_address, "dice")[-1]
    assert "are those of batch 'dice-1.csv' again" in held.reasons[0]
    project.ingest(use_case="dice", accept=held.digest, because="they were thrown again")
    report = look(project, "dice")
    assert (report.window.rows, report.window.folded, report.window.corrected, report.choice.code) == (3 * FEW, 3 * FEW, 0, "keep")


def test_that_labels_are_needed_is_told_once_until_they_come(project: Project) -> None:
    begin(project, "lacking", first=5 * ROWS)
    moved = shifted(1)
    deliver(project, "lacking", moved.drop(columns="y"))
    first = project.monitor(use_case="lacking")
    assert first.report.choice.code == "labels_needed"
    assert "alarm: lacking · predictions have shifted, and labels are missing" in "\n".join(first.log)
    for _ in range(2):
        quiet = project.monitor(use_case="lacking")
        assert (quiet.report.choice.code, quiet.report.memory.standing) == ("keep", ("labels_needed",))
        assert not any("over:" in line for line in quiet.log)
    deliver(project, "lacking", moved[["id", "y"]], labels=True)
    assert "alarm: lacking · over: predictions have shifted, and labels are missing" in project.monitor(use_case="lacking").log


def test_an_alarm_whose_look_was_killed_before_it_told_is_told_by_the_next(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(project, "silent", first=5 * ROWS)
    deliver(project, "silent", shifted(1).drop(columns="y"))
    with monkeypatch.context() as patch:
        patch.setattr("flows.monitor.alarms_of", lambda *_: (_ for _ in ()).throw(UsageError("killed", where="")))
        assert project.monitor(use_case="silent").state.is_failed()
    told = project.monitor(use_case="silent")
    assert told.report.window.rows == 0
    assert "alarm: silent · predictions have shifted, and labels are missing; a look before this one found that" in "\n".join(told.log)


def test_a_broken_batch_leads_to_no_training_and_the_next_good_one_goes_on(project: Project) -> None:
    begin(project, "broken")
    deliver(project, "broken", rows(1, turn=-1.0).assign(a=lambda df: df["a"] * 1000))
    run = project.monitor(use_case="broken")
    assert (run.state.name, run.report.choice.code) == ("Blocked", "data_broken")
    assert "is held: 'a' came as 1,000 times its values" in run.report.choice.reasons[0]
    assert any(line.startswith("alarm: broken · the last delivery is broken; broken-1-0-4.csv is held") for line in run.log)
    deliver(project, "broken", rows(2, FEW))
    run = project.monitor(use_case="broken")
    assert run.report.choice.code == "keep"
    assert "alarm: broken · over: the last delivery is broken" in run.log


def test_where_the_world_turns_a_champion_is_retrained_once_on_what_is_true_now_and_comes_back_with_its_time(project: Project) -> None:
    begin(project, "turned")
    deliver(project, "turned", rows(1, 2 * ROWS, turn=-1.0))
    first = look(project, "turned")
    assert (first.choice.outcome, first.choice.code) == ("retrain", "performance")
    assert first.done.startswith("version 2 was trained: promoted")
    (card,) = cards.card(CardOptions(use_case="turned", version=1))
    assert [entry.kind for entry in card.decisions] == ["gate", "promote"], "a card tells of no look"
    repeated = project.train(use_case="turned", asked_by=first.memory.asked_by, again=True).report
    assert (repeated.decision.verdict, repeated.rows.read) == ("unchanged", 2 * ROWS)
    deliver(project, "turned", rows(6, FEW, turn=-1.0))
    after = look(project, "turned")
    assert (after.version, after.choice.outcome) == (2, "keep")
    assert after.memory.risen_since == ""
    deliver(project, "turned", rows(5))
    back = look(project, "turned")
    assert (back.choice.outcome, back.choice.version) == ("return", 1)
    assert back.done == "version 1 is champion again"
    assert [epoch.code for epoch in ledger.line_of_champions(settings().ledger_address, "turned")][-1] == "restored"


def test_where_the_world_turns_from_every_version_the_least_bad_of_them_is_no_answer(project: Project) -> None:
    begin(project, "many")
    deliver(project, "many", rows(7, ROWS // 2))
    assert look(project, "many").choice.code == "growth"
    deliver(project, "many", rows(8, 2 * ROWS, turn=-1.0))
    turned = look(project, "many")
    assert (turned.version, turned.choice.code) == (2, "performance"), turned.choice.reasons
    assert turned.done.startswith("version 3 was trained: promoted")


def test_small_deliveries_without_labels_add_up_until_a_shift_would_show(project: Project) -> None:
    begin(project, "drops", first=5 * ROWS)
    codes = list[str]()
    for seed in range(20, 25):
        deliver(project, "drops", rows(seed, FEW).assign(a=lambda df: df["a"] + 12).drop(columns="y"))
        codes.append(look(project, "drops").choice.code)
    assert codes == ["keep", "keep", "keep", "labels_needed", "keep"]


def test_where_labels_come_late_the_newer_rows_are_those_whose_labels_showed_the_turn(project: Project) -> None:
    begin(project, "behind")
    turned = rows(1, 2 * ROWS, turn=-1.0)
    deliver(project, "behind", turned.drop(columns="y"))
    look(project, "behind")
    deliver(project, "behind", turned[["id", "y"]], labels=True)
    assert look(project, "behind").done.startswith("version 2 was trained: promoted")
    epoch = ledger.line_of_champions(settings().ledger_address, "behind")[-1]
    assert LakeSnapshot.from_text(epoch.lake).labelled == 2 * ROWS


def test_where_the_world_is_noisier_a_training_uses_all_rows(project: Project) -> None:
    begin(project, "noisier")
    noisy = rows(1, 2 * ROWS)
    noisy["y"] = np.where(np.random.default_rng(1).uniform(size=len(noisy)) < 0.75, noisy["y"], "low")
    deliver(project, "noisier", noisy)
    seen = look(project, "noisier")
    assert (seen.choice.code, seen.memory.risen_since != "") == ("performance", True)
    judged = ledger.last_decision(settings().ledger_address, "noisier", ("gate",))
    assert judged is not None
    assert judged.inputs["rows"] == {"fit": 768, "gate": 192, "contaminated": 4}


def test_newer_rows_that_alone_are_another_table_lead_to_a_training_on_all(project: Project) -> None:
    values = {"time": "day", "candidates": ["logistic"], "monitor": {"pictures": False}}
    project.write_use_case("daily", key=["id"], target="y", **values)
    days = pd.date_range("2031-01-01", periods=10).strftime("%Y-%m-%d").repeat(2 * ROWS // 10)
    deliver(project, "daily", rows(0, 2 * ROWS).assign(day=days))
    project.train(use_case="daily")
    deliver(project, "daily", rows(1, 2 * ROWS, turn=-1.0).assign(day="2031-02-01"))  # alone, they have no order
    assert look(project, "daily").choice.code == "performance"
    judged = ledger.last_decision(settings().ledger_address, "daily", ("gate",))
    assert judged is not None
    assert (judged.version, judged.inputs["rows"]) == (2, {"fit": 2 * ROWS, "gate": 2 * ROWS, "contaminated": 0})


def test_a_training_that_was_asked_for_and_never_began_is_asked_for_again(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(project, "killed", retrain={"per_day": 2})
    deliver(project, "killed", rows(7).assign(a=lambda df: df["a"] * 1000))
    assert look(project, "killed").choice.code == "data_broken"
    deliver(project, "killed", rows(1, 2 * ROWS, turn=-1.0))
    with monkeypatch.context() as patch:
        patch.setattr("flows.monitor.train", lambda _: (_ for _ in ()).throw(UsageError("killed", where="")))
        failed = project.monitor(use_case="killed")
    assert failed.state.is_failed()
    assert {
        "alarm: killed · over: the last delivery is broken",  # told before the training began
        "alarm: killed · the training that a look asked for failed; killed",
    } <= {*failed.log}
    asked = ledger.last_decisions(settings().ledger_address, "killed", "monitor", 1)[0].inputs["memory"]["asked_by"]  # type: ignore[index]
    report = look(project, "killed")
    assert (report.choice.code, report.memory.asked_by) == ("asked_before", asked)
    assert report.done.startswith("version 2 was trained")
    assert told.standing(settings().ledger_address, "killed", {"run_failed.train"}) == set(), "one that ended well ended that alarm"
    deliver(project, "killed", rows(2, 2 * ROWS, turn=-1.0))
    spent = look(project, "killed")
    assert (spent.choice.outcome, spent.choice.code) == ("blocked", "budget")
    assert "2 of 2 attempts of this day (UTC) are made" in spent.choice.reasons[-1]


def test_a_training_that_fails_is_told_and_waits_as_one_that_was_refused(project: Project) -> None:
    begin(project, "third")
    deliver(project, "third", rows(1, 2 * ROWS, turn=-1.0).assign(y=lambda df: df["y"].where(df["a"] < 60, "odd")))
    failed = project.monitor(use_case="third")
    assert failed.state.is_failed()
    assert any("the training that a look asked for failed; use case 'third' has version 1 with another task" in line for line in failed.log)
    assert "correct them, or ingest such rows under a use case of their own" in str(failed.error)
    quiet = look(project, "third")
    assert (quiet.choice.code, quiet.memory.asked_by, quiet.memory.watch.setbacks) == ("cooldown", "", 1)
    assert "the loss is above the reference" in quiet.choice.reasons[0]


def test_labels_that_nothing_explains_block_instead_of_retraining_and_what_changed_between_features_is_told(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVERGREEN_REPORTS_URL", "http://127.0.0.1:4240")
    begin(project, "mixed", first=3 * ROWS, monitor={"pictures": True})
    mixed = rows(1, 3 * ROWS).assign(b=lambda df: ((df["a"] - 50) / 9).round(3))  # as ever, each on its own
    deliver(project, "mixed", mixed.assign(y=np.random.default_rng(5).permutation(mixed["y"])))
    run = project.monitor(use_case="mixed")
    report = run.report
    assert (report.choice.outcome, report.choice.code) == ("blocked", "labels_suspect")
    assert report.together is not None
    assert report.together.is_drifted
    assert not any(feature.is_drifted for feature in report.features)
    drawn = (settings().home / "reports" / "mixed" / "evidently.html").read_text(encoding="utf-8")
    assert "Decided: blocked" in drawn
    assert str(run.artifacts["mixed-monitor"].data).startswith("[The page of the last look](<http://127.0.0.1:4240/mixed/monitor.html>)")
    assert str(run.artifacts["mixed-evidently"].data).endswith("(<http://127.0.0.1:4240/mixed/evidently.html>)")
    assert len(list((settings().home / "evidently").glob("*/snapshots/*.json"))) == 1


def test_a_hold_stands_above_what_newer_rows_say_and_what_it_forbade_is_done_when_it_ends(project: Project) -> None:
    begin(project, "held")
    deliver(project, "held", rows(1, ROWS // 4))
    project.train(use_case="held")
    project.decide("rollback", use_case="held", because="I know better")
    deliver(project, "held", rows(2, 2 * ROWS, turn=-1.0))
    report = look(project, "held")
    assert (report.choice.outcome, report.choice.code) == ("blocked", "hold")
    assert "I know better" in report.choice.reasons[-1]
    quiet = project.monitor(use_case="held")
    assert quiet.report.choice.code == "hold", "nothing came, and it still waits"
    assert any(line.startswith("alarm: held · the loss is rising, and the champion is not retrained") for line in quiet.log)
    project.decide("rollback", use_case="held", release=True, because="it was so")
    done = project.monitor(use_case="held")
    assert (done.report.window.labelled, done.report.choice.code) == (0, "performance")
    assert done.report.done.startswith("version 3 was trained: promoted")
    assert not any("over:" in line for line in [*quiet.log, *done.log]), "the loss is where it was"
    last = project.monitor(use_case="held")
    assert last.report.choice.code == "keep"
    assert "alarm: held · over: the loss is rising, and the champion is not retrained" in last.log


def test_a_champion_that_cannot_be_used_is_an_alarm_until_it_can(project: Project) -> None:
    begin(project, "swapped")
    stored = max(settings().home.rglob("model.skops"), key=lambda path: path.stat().st_mtime_ns)
    content = stored.read_bytes()
    stored.write_bytes(content[:99])
    run = project.monitor(use_case="swapped")
    assert run.state.is_failed()
    assert any(line.startswith("alarm: swapped · the champion cannot be used; model.skops of version 1") for line in run.log)
    stored.write_bytes(content)
    run = project.monitor(use_case="swapped")
    assert run.report.choice.code == "keep"
    assert "alarm: swapped · over: the champion cannot be used" in run.log


def test_without_ingested_rows_there_is_nothing_to_watch(project: Project) -> None:
    project.write_use_case("unseen", data=project.write_table("unseen", rows(0)), target="y", candidates=["logistic"])
    assert isinstance(project.monitor(use_case="unseen").error, UsageError)
    project.train(use_case="unseen")
    told = str(project.monitor(use_case="unseen").error)
    assert told.startswith("nothing was ingested for unseen, so there is nothing to watch its champion on")
