"""What one look at a champion leaves to the next, and how it is told."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tasks.core.decisions import Entry
from tasks.core.deliveries import TAKEN, BatchEntry, BatchRows
from tasks.core.drift import FeatureDrift
from tasks.core.monitor_page import as_markdown, as_prometheus, build
from tasks.core.monitoring import (
    Memory,
    MonitorReport,
    Performance,
    Window,
    alarms_of,
    broken_since,
    catch_up,
    watched_by,
    with_rise,
    with_standing,
)
from tasks.core.retraining import Choice, Circumstances, Sample, Signal, Watch, decide
from tasks.core.use_case import Retraining
from tasks.core.watching import Estimate

SINCE = "2026-03-03T14:00:00.5+00:00"
MEMORY = Memory(Watch(batch=7, excess=0.4, tried_at=5, tried_rows=900, allowance=2.0), 3, SINCE, SINCE, 1000, "3-7")


def entry(kind: str, **inputs: object) -> Entry:
    return Entry("houses", kind, 4, "", "", "", "", inputs=inputs)  # type: ignore[arg-type]


def batch(decision: str, at: str) -> BatchEntry:
    return BatchEntry("houses", "d", decision, "monday.csv", "rows", BatchRows(), (), "me", at)  # type: ignore[arg-type]


def test_what_is_remembered_is_read_again_as_it_was() -> None:
    assert Memory.from_json(MEMORY.as_json()) == MEMORY
    assert Memory.from_json({**MEMORY.as_json(), "risen_rows": 7}) == MEMORY, "an earlier release remembered more"
    standing = replace(MEMORY, standing=("labels_needed",))
    assert Memory.from_json(json.loads(json.dumps(standing.as_json()))) == standing


def test_each_training_since_is_an_attempt_and_another_champion_begins_anew() -> None:
    refused = entry("gate", verdict="kept", rows={"fit": 800, "gate": 200})
    after = catch_up(MEMORY, [refused, entry("promote")], epoch=3)
    assert (after.watch.setbacks, after.watch.tried_at, after.watch.tried_rows, after.watch.excess) == (1, 7, 1000, 0.4)
    promoted = entry("gate", verdict="promoted", rows={"fit": 1800, "gate": 200})
    after = catch_up(replace(MEMORY, risen_since=SINCE), [refused, promoted], epoch=4)
    assert (after.watch.setbacks, after.watch.tried_rows, after.watch.excess, after.watch.allowance) == (0, 2000, 0.0, 0.0)
    assert (after.epoch, after.risen_since) == (4, "")
    assert catch_up(MEMORY, [entry("restore")], epoch=4).watch.setbacks == 1


def test_the_loss_has_risen_since_its_first_rise_until_it_does_no_longer() -> None:
    risen = with_rise(with_rise(MEMORY, MEMORY.watch, SINCE), MEMORY.watch, "later")
    assert risen.risen_since == SINCE
    assert with_rise(risen, replace(risen.watch, excess=0.0), "later").risen_since == ""


@pytest.mark.parametrize(("outcome", "since"), [("passed", ""), ("not applicable", SINCE)])
def test_a_champion_that_does_not_surely_beat_the_dummy_ends_no_rise(outcome: str, since: str) -> None:
    judged = entry("gate", verdict="promoted", checks=[{"code": "looks", "outcome": "skipped"}, {"code": "baseline", "outcome": outcome}])
    after = catch_up(replace(MEMORY, risen_since=SINCE), [judged, entry("promote")], epoch=4)
    assert (after.watch.excess, after.risen_since) == (0.0, since)
    assert with_rise(after, after.watch, "later").risen_since == since
    assert catch_up(after, [entry("restore")], epoch=5).risen_since == ""
    waited = replace(judged, inputs={**judged.inputs, "verdict": "kept"})
    assert catch_up(replace(MEMORY, risen_since=SINCE), [waited, entry("approve")], epoch=4).risen_since == since


def test_only_the_last_delivery_can_break_the_data() -> None:
    held, taken = batch("held", "2026-03-03T14:00:05+00:00"), batch("ingested", "2026-03-03T14:00:06+00:00")
    assert broken_since([held], SINCE, TAKEN) == held
    assert broken_since([held, taken], SINCE, TAKEN) is None
    assert broken_since([held], "2026-03-03T15:00:00+00:00", TAKEN) is None
    assert broken_since([held, batch("dismissed", "2026-03-03T14:00:07+00:00")], SINCE, TAKEN) is None


def looked(at: str, outcome: str, code: str) -> Entry:
    performance = {"loss": "brier", "value": 0.2, "half": 0.1, "reference": 0.1, "estimated": None}
    inputs = {"decision": {"outcome": outcome}, "performance": performance, "window": {"label_lag": {"median_days": 1.0}}}
    return Entry("houses", "monitor", 4, code, "a reason", "ann@host", f"2026-03-03T{at}+00:00", inputs=inputs)


def test_the_page_of_a_look_draws_its_charts_for_wide_and_for_narrow_windows_and_tells_looks_apart() -> None:
    report = MonitorReport("houses", 4, 3, Window("", SINCE, 10, 5), Choice("keep", "keep", ("no signal reaches its limit",)), MEMORY)
    page = build(report, [looked("14:00:05", "blocked", "cooldown"), looked("14:00:45", "keep", "keep")])
    assert re.findall(r'<div class="(\w+)"><svg[^>]*viewBox="0 0 (\d+)', page) == [("wide", "992"), ("narrow", "420")] * 2
    assert {"14:00:05", "14:00:45"} <= set(re.findall(r"<text[^>]*>([^<]*)", page)), "seconds where minutes do not tell them apart"
    assert "<td>blocked (cooldown)</td>" in page
    assert "<td>keep</td>" in page


def look(**found: object) -> MonitorReport:
    choice = Choice("keep", "keep", ("no signal reaches its limit",), (Signal("growth", 1.05, 1.2, fired=False),))
    return MonitorReport("houses", 4, 3, Window("", SINCE, 10, 5, lag_days=found.pop("lag_days", None)), choice, MEMORY, **found)  # type: ignore[arg-type]


def gauges(told: str) -> dict[tuple[str, ...], float]:
    """Read a textfile as Prometheus does: values by names and labels, that of the use case aside."""
    families = list(text_string_to_metric_families(told))
    assert all(family.type == "gauge" and family.documentation for family in families)
    samples = [sample for family in families for sample in family.samples]
    assert {sample.labels["use_case"] for sample in samples} == {"houses"}
    return {
        (each.name.removeprefix("evergreen_"), *(each.labels[name] for name in each.labels if name != "use_case")): each.value
        for each in samples
    }


def test_prometheus_reads_a_look() -> None:
    told = as_prometheus(look(), 1.5)
    assert told.endswith("\n")
    read = gauges(told)
    assert read["last_look_seconds",] == 1.5
    assert (read["signal", "growth"], read["signal_limit", "growth"], read["decision", "keep", "keep"]) == (1.05, 1.2, 1)
    absent = ("loss", "loss_low", "loss_estimated", "label_lag_days", "next_look_seconds")
    assert {name for name, *_ in read}.isdisjoint(absent), "nothing is told of what is not known"


def test_prometheus_reads_of_a_look_what_its_page_shows() -> None:
    seen = Performance("brier", Sample(200, 0.05, 0.05), Sample(100, 0.2, 0.02), Estimate(0.25, 0.05))
    when = "2026-11-30T06:30+00:00"
    read = gauges(as_prometheus(look(performance=seen, estimated=Estimate(0.5, 0.1), next_check=when, lag_days=(2.0, 9.0)), 1.5))
    assert [read[name,] for name in ("loss", "loss_low", "loss_high", "loss_reference")] == pytest.approx([0.05, 0.0, 0.148, 0.2])
    for rows, value in (("labelled", 0.25), ("unlabelled", 0.5)):
        estimated = [read[name, rows] for name in ("loss_estimated", "loss_estimated_low", "loss_estimated_high")]
        assert estimated == pytest.approx([value, 0.8 * value, 1.2 * value])
    assert (read["label_lag_days",], read["label_lag_ninetieth_days",]) == (2, 9)
    assert read["next_look_seconds",] == 1796020200


def test_a_band_that_is_not_known_is_not_told() -> None:
    read = gauges(as_prometheus(look(performance=Performance("brier", Sample(1, 0.3, math.inf), Sample(100, 0.2, 0.02))), 1.5))
    assert read["loss",] == 0.3
    assert ("loss_high",) not in read


def test_the_artifact_of_a_look_shows_what_its_page_does() -> None:
    seen = Performance("squared_error", Sample(200, 0.5, 0.1), Sample(100, 0.2, 0.05), Estimate(0.25, 0.05))
    told = look(
        performance=seen,
        estimated=Estimate(0.5, 0.1),
        next_check="2026-11-30T06:30+00:00",
        features=(FeatureDrift("rooms", 0.31, 0.001, 0.4, is_drifted=True), FeatureDrift("a|b", 0.05, 0.9, None, is_drifted=False)),
    )
    rows = [entry("monitor", performance=None), entry("monitor", performance=Performance.as_json(seen))]
    looks = [
        replace(row, code="keep", decided_at=f"2026-11-30T0{hour}:30:00+00:00", reason="a long reason " * 9)
        for hour, row in enumerate(rows, 5)
    ]
    artifact = as_markdown(told, looks, "http://127.0.0.1:4240/houses/monitor.html")
    assert "**Kept**: because no signal reaches its limit" in artifact
    assert "\n\nEstimated without labels: 0.5000 ± 0.1000, if rows of like predictions err as before.\n\n" in artifact
    assert "- Next look: Monday, 2026-11-30 06:30 UTC" in artifact
    assert lines_of(artifact, "Loss over time") == [
        "| when, UTC | squared error | on gate rows | estimated | rows | champion |",
        "| --- | --- | --- | --- | --- | --- |",
        "| 11-30 06:30 | 0.5000 ± 0.2 | 0.2000 ± 0.098 | 0.2500 ± 0.05 | 200 | 4 |",
    ]
    assert [line.split(" | ")[0] for line in lines_of(artifact, "Features")[2:]] == ["| rooms", "| a\\|b"]
    assert lines_of(artifact, "Last looks")[2:] == [
        f"| 11-30 {hour}:30 | keep | {'a long reason ' * 4}a long reason… | 4 |" for hour in ("06", "05")
    ]
    assert artifact.startswith("[The page of the last look](<http://127.0.0.1:4240/houses/monitor.html>)\n\n")
    assert as_markdown(told, looks, "/srv/monitor.html").startswith("The page of the last look: `/srv/monitor.html`\n\n")
    assert "No look had enough labels yet." in as_markdown(look(), looks[:1], "")


def lines_of(told: str, heading: str) -> list[str]:
    """Give the lines of the table in a section."""
    return [line for line in told.partition(f"## {heading}\n")[2].partition("\n## ")[0].splitlines() if line.startswith("|")]


def test_an_estimate_that_did_not_hold_and_classes_that_nobody_knew_are_told() -> None:
    told = Performance("brier", Sample(200, 0.6, 0.02), Sample(100, 0.2, 0.02), Estimate(0.2, 0.05), unknown=31)
    assert str(told).endswith("; 0.2000 ± 0.05000 was estimated, which did not hold; 31 rows of a class that it does not know")
    assert str(Performance("brier", Sample(200, 0.21, 0.02), Sample(100, 0.2, 0.02), Estimate(0.2, 0.05))).endswith("was estimated")


# --------------------------------------------------------------------------------------------------------------- alarms

LIMITS = Retraining()
SHIFTED, UNSHIFTED = (Signal("prediction", value, 0.15, fired=value > 0.15) for value in (0.5, 0.05))
NOTHING_CAME = decide(Watch(), (), LIMITS, Circumstances(is_labelled=False))
NEEDED = decide(Watch(), (SHIFTED,), LIMITS, Circumstances(is_labelled=False))
BROKEN = decide(Watch(), (UNSHIFTED,), LIMITS, Circumstances(incident="monday.csv is held", is_labelled=False))
CALM = Choice("keep", "keep", ("no signal reaches its limit",))
SUSPECT = Choice("blocked", "labels_suspect", ("look at the labels",))
TIRED = Choice("blocked", "cooldown", ("the last attempt was 1 look ago, and 2 must pass",))


def after(*looks: tuple[Choice, bool], excess: float = 0.0) -> MonitorReport:
    """Give the last of some looks, each with whether it judged performance on new labels."""
    memory = Memory(Watch(excess=excess))
    for choice, is_judged in looks:
        memory = with_standing(memory, choice, is_judged=is_judged)
    return MonitorReport("houses", 4, 3, Window("", SINCE), looks[-1][0], memory)


def raised_and_over(report: MonitorReport) -> tuple[set[str], set[str]]:
    raised = {alarm.code for alarm in alarms_of(report, LIMITS)}
    return raised, set(watched_by(report, LIMITS)) - raised - {"champion_unusable"}


@pytest.mark.parametrize(
    ("looks", "standing"),
    [
        ([(NEEDED, False)], {"labels_needed"}),
        ([(NEEDED, False), (NOTHING_CAME, False), (NOTHING_CAME, False)], {"labels_needed"}),
        ([(NEEDED, False), (BROKEN, False)], {"labels_needed", "data_broken"}),
        ([(NEEDED, False), (BROKEN, False), (NOTHING_CAME, False)], {"labels_needed"}),
        ([(NEEDED, False), (replace(NOTHING_CAME, signals=(UNSHIFTED,)), False)], set()),
        ([(NEEDED, False), (CALM, True)], set()),
        ([(SUSPECT, True), (NOTHING_CAME, False), (replace(NOTHING_CAME, signals=(UNSHIFTED,)), False)], {"labels_suspect"}),
        ([(SUSPECT, True), (NEEDED, False)], {"labels_suspect", "labels_needed"}),
        ([(SUSPECT, True), (NEEDED, False), (CALM, True)], set()),
    ],
)
def test_an_alarm_about_labels_ends_where_there_is_evidence_and_not_at_the_next_quiet_look(
    looks: list[tuple[Choice, bool]], standing: set[str]
) -> None:
    raised, over = raised_and_over(after(*looks))
    assert raised == standing
    assert over == {"data_broken", "labels_suspect", "labels_needed", "loss_rising"} - standing


def test_an_alarm_that_stands_says_that_an_earlier_look_found_it() -> None:
    (alarm,) = alarms_of(after((NEEDED, False), (NOTHING_CAME, False)), LIMITS)
    assert alarm.title == "predictions have shifted, and labels are missing"
    assert alarm.text == (
        "a look before this one found that, and nothing since shows that it is over; no label has come since the last look"
    )


def test_a_loss_rises_for_as_long_as_what_is_remembered_of_it_says_so() -> None:
    for look in ((TIRED, True), (NOTHING_CAME, False), (NEEDED, False), (BROKEN, False)):
        raised, over = raised_and_over(after(look, excess=LIMITS.performance))
        assert ("loss_rising" in raised, "loss_rising" in over) == (True, False)
    for outcome in ("retrain", "return"):
        raised, over = raised_and_over(after((Choice(outcome, "performance", ("it rose",)), True), excess=0.5))  # type: ignore[arg-type]
        assert "loss_rising" not in raised | over, "something is done about it, and it rises all the same"
    assert raised_and_over(after((NOTHING_CAME, False)))[1] >= {"loss_rising"}
    (alarm,) = alarms_of(after((NOTHING_CAME, False), excess=0.5), LIMITS)
    assert alarm.text == (
        "the loss is above the reference, and what is beyond noise adds up to 0.5 times the reference (limit 0.1 times); "
        "no label has come since the last look"
    )


def test_with_another_champion_nothing_stands() -> None:
    standing = replace(MEMORY, standing=("labels_needed", "labels_suspect"))
    assert catch_up(standing, [], epoch=3).standing == standing.standing
    assert catch_up(standing, [entry("promote")], epoch=4).standing == ()
