"""The page of a look at a champion, and the same in short for Prefect."""

from __future__ import annotations

import math
from datetime import datetime
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, TypeAlias

from tasks.core import charts, markdown
from tasks.core.monitoring import moment_in_words
from tasks.core.names import counted
from tasks.core.page import Badge, Facts, Figure, Link, Page, Section, Table, Text, Verdict, number, render, shorten, with_commands
from tasks.core.retraining import Choice, in_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tasks.core.decisions import Entry
    from tasks.core.monitoring import MonitorReport
    from tasks.core.page import Block, Cell, Tone

    _Gauge: TypeAlias = tuple[str, list[tuple[str, float]]]  # what it tells, and its values by their labels

TONES: dict[str, Tone] = {"keep": "good", "retrain": "neutral", "return": "neutral", "blocked": "bad", "alarm": "bad"}
LISTED_LOOKS = 15
LISTED_FEATURES = 20
LISTED_IN_SHORT = 6
REASON_IN_SHORT = 70  # Prefect breaks no line of a table


def build(report: MonitorReport, looks: Sequence[Entry]) -> str:
    """Give a look as HTML.

    Args:
        report: What it found.
        looks: Rows of the ledger, the last one that of this look.
    """
    return render(
        Page(
            title=_title(report),
            verdict=_verdict(report),
            facts=Facts(tuple(_facts(report))),
            sections=(
                Section("Loss over time", tuple(_loss(report, looks))),
                Section("How late labels are", tuple(_lag(looks))),
                Section("Signals", (_signals(report),)),
                Section("Features", tuple(_features(report))),
                Section("Last looks", (_looks(looks),)),
            ),
            footer=f"Evergreen · {report.use_case} · looked at {report.window.until[:16].replace('T', ' ')} UTC",
        )
    )


def as_markdown(report: MonitorReport, looks: Sequence[Entry], address: str) -> str:
    """Give what stands on the run's page in Prefect: the page in short, with a table where that has a chart.

    Args:
        report: What a look found.
        looks: Rows of the ledger, the last one that of this look.
        address: Of the page, for a browser; or else its path.
    """
    page = Page(
        title=_title(report),
        verdict=_verdict(report),
        facts=Facts(tuple(_facts(report))),
        sections=(
            Section("Loss over time", (*_loss_now(report), _losses(looks))),
            Section("Signals", (_signals(report, in_short=True),)),
            Section("Features", tuple(_features(report, LISTED_IN_SHORT))),
            Section("Last looks", (_looks(looks, in_short=True),)),
        ),
    )
    return f"{markdown.leading_to('The page of the last look', address)}\n\n{markdown.as_markdown(page)}"


def as_prometheus(report: MonitorReport, at: float) -> str:
    """Give what Prometheus reads from a textfile (its exposition format 0.0.4): gauges of the last look.

    Args:
        report: What it found.
        at: When, in seconds since 1970.
    """
    of = f'use_case="{report.use_case}"'
    found, due = report.performance, datetime.fromisoformat(report.next_check).timestamp() if report.next_check else None
    lag = [("", days) for days in report.window.lag_days or ()]
    expected = {"labelled": found.estimated if found else None, "unlabelled": report.estimated}
    estimates = {f',rows="{which}"': (each.value, each.half) for which, each in expected.items() if each}
    gauges: dict[str, _Gauge] = {
        "last_look_seconds": ("when the champion was last looked at, since 1970", [("", at)]),
        "next_look_seconds": ("when the next look is planned, since 1970", [("", due)] if due else []),
        "champion_version": ("version that was champion then", [("", report.version)]),
        "new_rows": ("rows that came since the look before", [("", report.window.rows)]),
        "new_labels": ("first labels that came since the look before", [("", report.window.labelled)]),
        "data_sound": ("0 where the last delivery is held or refused", [("", float(not report.broken))]),
        **_banded("loss", "mean loss of newly labelled rows", {"": (found.now.mean, 1.96 * found.now.error)} if found else {}),
        "loss_reference": ("mean loss on the gate rows", [("", found.reference.mean)] if found else []),
        **_banded("loss_estimated", "mean loss that rows were estimated to have before their labels came", estimates),
        "label_lag_days": ("median days from a row to its label", lag[:1]),
        "label_lag_ninetieth_days": ("days after which nine of ten labels have come", lag[1:]),
        "signal": ("evidence that asks for a retrain at its limit", [(f',signal="{s.name}"', s.value) for s in report.choice.signals]),
        "signal_limit": ("that limit", [(f',signal="{s.name}"', s.limit) for s in report.choice.signals]),
        "features_moved": ("features that have moved", [("", sum(each.is_drifted for each in report.features))]),
        "decision": ("1 for what was decided", [(f',outcome="{report.choice.outcome}",code="{report.choice.code}"', 1)]),
    }
    lines: list[str] = []
    for name, (told, values) in gauges.items():
        if values:
            lines += [f"# HELP evergreen_{name} {told}", f"# TYPE evergreen_{name} gauge"]
            lines += [f"evergreen_{name}{{{of}{more}}} {value!r}" for more, value in values]
    return "\n".join([*lines, ""])


def _banded(name: str, told: str, figures: Mapping[str, tuple[float, float]]) -> dict[str, _Gauge]:
    """Give gauges of figures, each with half of its 95 % band by its labels, and of the ends of these bands, where they are known."""
    known = [(labels, value, half) for labels, (value, half) in figures.items() if math.isfinite(half)]
    return {
        name: (told, [(labels, value) for labels, (value, _) in figures.items()]),
        f"{name}_low": (f"low end of the 95 % band of evergreen_{name}", [(each, max(0.0, value - half)) for each, value, half in known]),
        f"{name}_high": (f"high end of the 95 % band of evergreen_{name}", [(each, value + half) for each, value, half in known]),
    }


def _title(report: MonitorReport) -> str:
    return f"{report.use_case}: version {report.version} under watch"


def _verdict(report: MonitorReport) -> Verdict:
    return Verdict(TONES[report.choice.outcome], report.state_name, with_commands(f"because {'; '.join(report.choice.reasons)}"))


def _facts(report: MonitorReport) -> Iterator[tuple[str, Cell]]:
    window = report.window
    yield "New rows", window.rows
    yield "First labels", window.labelled
    if window.labelled > window.folded:
        yield "Labels that wait", f"{window.labelled - window.folded:,}, too few to be judged alone"
    yield "Labels corrected", window.corrected
    if window.lag_days:
        yield "Label lag, days", f"{window.lag_days[0]:.2g} in the middle, {window.lag_days[1]:.2g} for nine of ten"
    yield "Data", "broken" if report.broken else report.data
    if report.done:
        yield "Done", report.done
    if report.drawing:
        yield "Drawn by Evidently", Link("the rows of this look beside those of the champion", PurePath(report.drawing).name)
    yield "Next look", moment_in_words(report.next_check) if report.next_check else "when asked"


def _loss_now(report: MonitorReport) -> Iterator[Block]:
    if report.performance:
        yield Text(f"Now: {report.performance}.")
    if report.estimated:
        yield Text(f"Estimated without labels: {report.estimated}, if rows of like predictions err as before.")


def _loss(report: MonitorReport, looks: Sequence[Entry]) -> Iterator[Block]:
    yield from _loss_now(report)
    seen = [(place, told) for place, entry in enumerate(looks, 1) if (told := _performance(entry))]
    if not seen:
        yield Text("No look had enough labels yet.")
        return
    places = list(range(1, len(looks) + 1))
    known = dict(seen)

    def line(of: str, more: float = 0.0, half: str = "") -> list[float]:
        return [_value(known.get(place), of, more, half) for place in places]

    lines = [
        charts.Series("loss", places, line("value"), line("value", -1, "half"), line("value", 1, "half")),
        charts.Series("when it was judged", places, line("reference")),
        charts.Series("estimated before labels", places, line("estimated")),
    ]
    name = str(seen[-1][1]["loss"])
    caption = "Mean loss of newly labelled rows at each look, with its 95 % band, beside what it was on the gate rows"
    yield _over_looks(caption, looks, lines, "Loss over time", name)


def _losses(looks: Sequence[Entry]) -> Block:
    """Give as a table what the chart of the loss shows, the last look first."""
    seen = [(entry, told) for entry in reversed(looks) if (told := _performance(entry))]
    if not seen:
        return Text("No look had enough labels yet.")
    rows = [(_moment(entry), *map(_with_band, _figures(told)), told["rows"], entry.version) for entry, told in seen[:LISTED_IN_SHORT]]
    columns = ("when, UTC", str(seen[0][1]["loss"]).replace("_", " "), "on gate rows", "estimated", "rows", "champion")
    told = "Mean loss of newly labelled rows at the last looks that had enough, beside what it was on the gate rows and what was estimated"
    return Table(f"{told} before these labels came, each ± half of its 95 % band", columns=columns, rows=rows)


def _figures(told: Mapping[str, Any]) -> Iterator[tuple[float | None, float | None]]:
    """Give a loss, what it was when the champion was judged, and what was estimated, each with half of its band."""
    yield told["value"], told["half"]
    yield told["reference"], told.get("reference_half")
    yield (told["estimated"]["value"], told["estimated"]["half"]) if told["estimated"] else (None, None)


def _with_band(figure: tuple[float | None, float | None]) -> str:
    value, half = figure
    return number(value) if half is None else f"{number(value)} ± {half:.2g}"


def _lag(looks: Sequence[Entry]) -> Iterator[Block]:
    windows: list[Mapping[str, Any]] = [entry.inputs.get("window", {}) for entry in looks]  # type: ignore[misc]
    lags: list[Mapping[str, float]] = [window.get("label_lag") or {} for window in windows]
    if not any(any(lag.values()) for lag in lags):
        yield Text("Each label that came, came with its row." if any(lags) else "No label came yet.")
        return
    places = list(range(1, len(looks) + 1))
    lines = [
        charts.Series(told, places, [lag.get(name, math.nan) for lag in lags])
        for told, name in (("in the middle", "median_days"), ("nine of ten", "ninetieth_days"))
    ]
    yield _over_looks("Days from a row to its label, of the labels that came before each look", looks, lines, "Label lag", "days")


def _over_looks(caption: str, looks: Sequence[Entry], lines: Sequence[charts.Series], title: str, y_title: str) -> Figure:
    wide, narrow = (
        charts.line_chart(lines, title=title, x_title="look", y_title=y_title, x_text=_dates(looks), width=width)
        for width in (charts.WIDE, charts.WIDTH)
    )
    return Figure(caption, wide, narrow=narrow)


def _dates(looks: Sequence[Entry]) -> Callable[[float], str]:
    """Word the place of a look by its day, by its hour where all are of one day, and by both where some days have several."""

    def can_tell(shown: slice) -> bool:
        return len({entry.decided_at[shown] for entry in looks}) == len(looks)

    is_of_one_day = len({entry.decided_at[:10] for entry in looks}) == 1
    by_hour = slice(11, 16) if can_tell(slice(11, 16)) else slice(11, 19)
    shown = by_hour if is_of_one_day else slice(5, 10) if can_tell(slice(10)) else slice(5, 16)
    told = [entry.decided_at[shown].replace("T", " ") for entry in looks]
    return lambda place: told[int(place) - 1] if place == int(place) and 0 < place <= len(told) else ""


def _performance(entry: Entry) -> Mapping[str, Any] | None:
    return entry.inputs.get("performance")  # type: ignore[return-value]


def _value(told: Mapping[str, Any] | None, of: str, more: float, half: str) -> float:
    if told is None or told[of] is None:
        return math.nan
    value = told[of]["value"] if isinstance(told[of], dict) else told[of]
    return max(0.0, float(value) + more * float(told[half])) if half else float(value)  # no loss is below 0


def _signals(report: MonitorReport, *, in_short: bool = False) -> Block:
    if not report.choice.signals:
        return Text("Nothing came to judge by.")
    rows = [
        (signal.name, Badge("warned", "fired") if signal.fired else Badge("passed", "quiet"), in_words(signal), signal.value, signal.limit)
        for signal in report.choice.signals
    ]
    told, columns = "What asks for a retrain when it reaches its limit", ("signal", "outcome", "in words", "value", "limit")
    if in_short:
        return Table(told, columns[:2] + columns[3:], [row[:2] + row[3:] for row in rows])
    return Table(told, columns, rows)


def _features(report: MonitorReport, most: int = LISTED_FEATURES) -> Iterator[Block]:
    yield Text("For people: features that move say little of whether a retrain pays, so nothing is decided by them.")
    if report.together:
        can = "a model tells new rows from old ones" if report.together.is_drifted else "no model tells new rows from old ones"
        yield Text(f"All features at once: {can} (area under its ROC curve {report.together}, 0.5 is chance).")
    rows = [
        (each.name, Badge("warned", "moved") if each.is_drifted else Badge("passed", "in place"), each.effect, each.q, each.importance)
        for each in report.features[:most]
    ]
    if not rows:
        yield Text("Nothing to compare: no rows came, or the champion is not made from ingested rows.")
        return
    told = f"Distance from the rows that the champion was made from, of {counted(len(report.features), 'feature')}, those that matter first"
    yield Table(told, ("feature", "outcome", "effect", "q", "importance"), rows)
    yield Text("Effect: how far apart the values are, from 0 to 1. q: the share of features so far apart that are so by chance.")


def _looks(looks: Sequence[Entry], *, in_short: bool = False) -> Table:
    most, longest = (LISTED_IN_SHORT, REASON_IN_SHORT) if in_short else (LISTED_LOOKS, None)
    rows = [
        (_moment(entry), _decision(entry), shorten(entry.reason, longest) if longest else entry.reason, entry.version)
        for entry in looks[: -most - 1 : -1]
    ]
    return Table("The last ones, from the ledger", ("when, UTC", "decision", "because", "champion"), rows)


def _moment(entry: Entry) -> str:
    return entry.decided_at[5:16].replace("T", " ")


def _decision(entry: Entry) -> str:
    told: Mapping[str, Any] = entry.inputs.get("decision", {})  # type: ignore[assignment]
    return Choice(told.get("outcome", entry.code), entry.code, ()).in_words
