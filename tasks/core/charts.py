"""Draw the charts of the reports as SVG that follows the colours of the page around it.

Values that are not finite are left out. Every function takes a `title`, which is read out in place of the picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Literal, TypeAlias
from unicodedata import east_asian_width

from tasks.core.page import Svg, number, safe, shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

WIDTH = 420
WIDE = 992

Sign: TypeAlias = Literal["dot", "diamond", "cross", "ring"]

_LIMIT = 1e150  # squares and differences of larger numbers overflow
_FONT = 13
_SMALL = 11.5
_SERIES = ("#1f6f8b", "#bf5414", "#74509a", "#8a6d00", "#66707a", "#3c7d3f")
_DASHES = ("none", "7 3", "2 3", "9 3 2 3", "4 4", "12 4")


@dataclass(frozen=True)
class Interval:
    """A value with its interval, and the value that it is held against, for example the dummy's."""

    label: str
    value: float
    low: float
    high: float
    reference: float = math.nan


@dataclass(frozen=True)
class Series:
    """A named line; `low` and `high`, as long as `y`, draw a band. A gap in `y` is a gap in the line."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()


@dataclass(frozen=True)
class Marks:
    """Named points that are drawn over the lines; a ring goes around another sign."""

    name: str
    sign: Sign
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class _Axis:
    """Where the values from `low` to `high` stand between the pixels `start` and `end`."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def interval_chart(rows: Sequence[Interval], *, title: str, reference_label: str = "reference") -> Svg:
    """Show metrics with their intervals, each on a scale of its own, because metrics have different units.

    What can be compared is a value with its reference and its own interval. A row without reference starts at zero.

    >>> interval_chart([Interval("R²", 0.48, 0.39, 0.55, 0.0)], title="Test metrics").startswith("<svg")
    True
    """
    if not any(_is_drawable(row.value) for row in rows):
        return _no_data(title)
    texts = [_interval_text(row) for row in rows]
    start = max(_column(row.label for row in rows), *map(_width, texts)) + 16
    parts = [_reference_key(start, reference_label)] if any(_is_drawable(row.reference) for row in rows) else []
    for line, (row, text) in enumerate(zip(rows, texts, strict=True)):
        y = 40 + 44 * line
        parts += [_text(0, y, _fit(row.label, start - 16)), _text(0, y + 16, text, is_muted=True)]
        parts += _interval_marks(row, y, start)
    foot = 40 + 44 * len(rows)
    return _svg(title, foot + 6, [*parts, _text(start, foot, "Each row has its own scale.", is_muted=True, size=_SMALL)])


def scatter_chart(
    true: Sequence[float], predicted: Sequence[float], *, title: str, x_title: str = "True", y_title: str = "Predicted"
) -> Svg:
    """Show predicted against true values on equal scales; on the diagonal they agree.

    Every point is drawn: thin more than about 2,000 before.
    """
    points = [(x, y) for x, y in zip(true, predicted, strict=True) if _is_drawable(x, y)]
    if not points:
        return _no_data(title)
    ticks = _ticks([value for point in points for value in point], 6)
    frame, x_axis, y_axis = _frame(ticks, ticks, (x_title, y_title), size=(WIDTH, WIDTH), x_text=_tick_format(ticks))
    ends = f"M{_xy(x_axis.start, y_axis.start)}L{_xy(x_axis.end, y_axis.end)}"
    diagonal = f'<path d="{ends}" {_LINE} stroke-opacity=".6" stroke-dasharray="5 4"/>'
    dots = "".join(f'<circle cx="{x_axis.at(x):.1f}" cy="{y_axis.at(y):.1f}" r="2.6"/>' for x, y in points)
    return _svg(title, WIDTH, [*frame, diagonal, f'<g {_fill(0)} fill-opacity=".45">{dots}</g>'])


def residual_chart(predicted: Sequence[float], residuals: Sequence[float], *, title: str) -> Svg:
    """Show by how much each prediction misses; on the line the prediction is right. Every point is drawn, as in `scatter_chart`."""
    points = [(x, y) for x, y in zip(predicted, residuals, strict=True) if _is_drawable(x, y)]
    if not points:
        return _no_data(title)
    x_ticks, y_ticks = _ticks([x for x, _ in points], 6), _ticks([0.0, *(y for _, y in points)], 6)
    titles = ("Predicted", "True minus predicted")
    frame, x_axis, y_axis = _frame(x_ticks, y_ticks, titles, size=(WIDTH, WIDTH), x_text=_tick_format(x_ticks))
    zero = f'<path d="M{_xy(x_axis.start, y_axis.at(0))}H{x_axis.end:.1f}" {_LINE} stroke-opacity=".6" stroke-dasharray="5 4"/>'
    dots = "".join(f'<circle cx="{x_axis.at(x):.1f}" cy="{y_axis.at(y):.1f}" r="2.6"/>' for x, y in points)
    return _svg(title, WIDTH, [*frame, zero, f'<g {_fill(0)} fill-opacity=".45">{dots}</g>'])


def whisker_chart(rows: Sequence[Interval], *, title: str, x_title: str, reference: float = math.nan) -> Svg:
    """Show values with their intervals on one scale, in the order given; `reference` draws a line that they are held against."""
    drawn = [value for row in rows for value in (row.value, row.low, row.high, reference) if _is_drawable(value)]
    if not any(_is_drawable(row.value) for row in rows):
        return _no_data(title)
    ticks = _ticks(drawn, 4)
    labels, words = [*map(_tick_format(ticks), ticks)], _column((row.label for row in rows), 200)
    axis, foot = _Axis(ticks[0], ticks[-1], words + 18, WIDTH - max(8, _width(labels[-1]) / 2)), 24 * len(rows) + 6
    every = math.ceil((max(map(_width, labels)) + 10) / ((axis.end - axis.start) / (len(ticks) - 1)))
    grid = "".join(f"M{_xy(axis.at(tick), 0)}V{foot}" for tick in ticks)
    parts = [f'<path d="{grid}" {_LINE} stroke-opacity=".14"/>']
    if _is_drawable(reference):
        parts.append(f'<path d="M{_xy(axis.at(reference), 0)}V{foot}" {_LINE} stroke-opacity=".6" stroke-dasharray="5 4"/>')
    for line, row in enumerate(rows):
        parts += _whisker(row, axis, 24 * line + 16)
    parts += [_text(axis.at(tick), foot + 16, label, anchor="middle") for tick, label in list(zip(ticks, labels, strict=True))[::every]]
    parts.append(_text((axis.start + axis.end) / 2, foot + 36, _fit(x_title, axis.end - axis.start), anchor="middle", is_muted=True))
    return _svg(title, foot + 42, parts)


def bar_chart(bars: Sequence[tuple[str, float]], *, title: str, x_title: str = "") -> Svg:
    """Show labelled values as horizontal bars from zero, in the order given."""
    drawn = [value for _, value in bars if _is_drawable(value)]
    if not drawn:
        return _no_data(title)
    start = _column(label for label, _ in bars) + 12
    room = max(_width(number(value)) for value in drawn) + 8
    low, high = min(0.0, *drawn), max(0.0, *drawn)
    axis = _Axis(low, high if high > low else 1.0, start + room * (low < 0), WIDTH - room * (high > 0 or low == high))
    zero, foot = axis.at(0), 26 * len(bars) + 4
    parts: list[str] = []
    for line, (label, value) in enumerate(bars):
        y = 26 * line + 4
        parts.append(_text(start - 12, y + 14, _fit(label, start - 12), anchor="end"))
        if not _is_drawable(value):
            parts.append(_text(zero + 6, y + 14, number(value), is_muted=True))
            continue
        tip = axis.at(value)
        parts.append(f'<rect x="{min(zero, tip):.1f}" y="{y}" width="{abs(tip - zero):.1f}" height="18" rx="1.5" {_fill(0)}/>')
        parts.append(_text(tip + math.copysign(6, value), y + 14, number(value), anchor="end" if value < 0 else "start"))
    parts.append(f'<path d="M{_xy(zero, 0)}V{foot}" {_LINE} stroke-opacity=".5"/>')
    if x_title:
        parts.append(_text((axis.start + axis.end) / 2, foot + 18, x_title, anchor="middle", is_muted=True))
    return _svg(title, foot + (26 if x_title else 2), parts)


def matrix_chart(counts: Sequence[Sequence[int]], labels: Sequence[str], *, title: str) -> Svg:
    """Show a confusion matrix: a row for each true class, a column for each predicted one, shaded by the share of its row."""
    if not any(map(any, counts)):
        return _no_data(title)
    left = _column(labels, 110) + 34
    side = min(84.0, (WIDTH - left) / len(labels))
    is_slanted = max(map(_width, labels)) > side - 6
    top, height = (106 if is_slanted else 46), min(side, 46.0)
    size = max(7.0, min(_FONT, side / 3.2))
    middle, centre = left + side * len(labels) / 2, top + height * len(labels) / 2
    parts = [_text(middle, 14, "Predicted class", anchor="middle", is_muted=True), _upright(12, centre, "True class")]
    for line, (label, row) in enumerate(zip(labels, counts, strict=True)):
        x, y = left + side * (line + 0.5), top + height * (line + 0.5)
        parts.append(_text(left - 8, y + size / 3, _fit(label, left - 34), anchor="end", size=size))
        turn = f' transform="rotate(-40 {x:.1f} {top - 8})"' if is_slanted else ""
        parts.append(_text(x, top - 8, _fit(label, 92), anchor="start" if is_slanted else "middle", size=size, more=turn))
        parts += _matrix_row(row, left, y, (side, height), size)
    return _svg(title, top + height * len(labels) + 2, parts)


def line_chart(
    series: Sequence[Series],
    *,
    title: str,
    x_title: str,
    y_title: str,
    x_text: Callable[[float], str] | None = None,
    marks: Sequence[Marks] = (),
    width: int = WIDTH,
) -> Svg:
    """Show lines over a common x, the first one on top, each with its band if it has one, and marks on them.

    `x_text` words the ticks where x is not a plain number. A line that the title of y names needs no key.
    """
    points = [(x, value) for one in series for x, *values in _points(one) for value in values if _is_drawable(x, value)]
    if not points:
        return _no_data(title)
    size = width, 320
    drawn = [one for one in marks if one.points]
    is_told = len(series) == 1 and not drawn and series[0].name in y_title
    key, top = ([], 0.0) if is_told else _key([one.name for one in series], width, drawn)
    x_ticks, y_ticks = _ticks([x for x, _ in points], width // 80), _ticks([y for _, y in points], 5)
    x_text = x_text or _tick_format(x_ticks)
    frame, x_axis, y_axis = _frame(x_ticks, y_ticks, (x_title, y_title), size=size, x_text=x_text, top=top)
    bands = (_band(one, x_axis, y_axis, index) for index, one in enumerate(series))
    lines = [_line(one, x_axis, y_axis, index) for index, one in enumerate(series)]
    signs = (_sign(one.sign, x_axis.at(x), y_axis.at(y)) for one in marks for x, y in one.points if _is_drawable(x, y))
    return _svg(title, size[1], [*key, *frame, *bands, *reversed(lines), *signs], width)


_LINE = 'fill="none" stroke="currentColor"'


def _is_drawable(*values: float) -> bool:
    return all(math.isfinite(value) and abs(value) < _LIMIT for value in values)


def _colour(index: int) -> str:
    """Name a colour of the page; the second is for an SVG that is looked at alone."""
    index %= len(_SERIES)
    return f"var(--series-{index + 1},{_SERIES[index]})"


def _fill(index: int) -> str:
    return f'style="fill:{_colour(index)}"'


def _xy(x: float, y: float) -> str:
    return f"{x:.1f} {y:.1f}"


def _svg(title: str, height: float, parts: Iterable[str], width: int = WIDTH) -> Svg:
    return Svg(
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width}" height="{height:.0f}" viewBox="0 0 {width} {height:.0f}" '
        f'font-family="system-ui, sans-serif" font-size="{_FONT}" fill="currentColor">'
        f"<title>{safe(title)}</title>{''.join(parts)}</svg>"
    )


def _no_data(title: str) -> Svg:
    box = f'<rect x=".5" y=".5" width="{WIDTH - 1}" height="95" rx="6" {_LINE} stroke-opacity=".35" stroke-dasharray="4 4"/>'
    return _svg(title, 96, [box, _text(WIDTH / 2, 52, "No data", anchor="middle", is_muted=True)])


def _text(x: float, y: float, text: str, *, anchor: str = "start", is_muted: bool = False, size: float = _FONT, more: str = "") -> str:
    look = f'text-anchor="{anchor}" font-size="{size:.1f}"' + ' fill-opacity=".75"' * is_muted
    return f'<text x="{x:.1f}" y="{y:.1f}" {look}{more}>{safe(text)}</text>'


def _upright(x: float, y: float, text: str) -> str:
    return _text(x, y, text, anchor="middle", is_muted=True, more=f' transform="rotate(-90 {x:.1f} {y:.1f})"')


def _width(text: str) -> float:
    """Estimate how wide a text is drawn; no font is at hand to measure it."""
    return sum(_FONT if east_asian_width(sign) in "WF" else 0.58 * _FONT for sign in text)


def _fit(text: str, width: float) -> str:
    while _width(text) > width + 1e-6 and len(text) > 1:
        text = shorten(text, min(len(text) - 1, int(width / (0.58 * _FONT))) or 1)
    return text


def _column(labels: Iterable[str], limit: float = 150) -> float:
    return min(limit, max(map(_width, labels)))


def _ticks(values: Sequence[float], count: int) -> list[float]:
    """List round numbers, about `count` of them, from below the smallest value to above the largest.

    >>> _ticks([0.13, 0.87], 5)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    low, high = min(values), max(values)
    largest = max(abs(low), abs(high))
    if high - low <= 1e-9 * max(largest, 1e-100):
        slack = largest / 10 if largest > 1e-100 else 1.0
        low, high = low - slack, high + slack
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw * 0.99)
    first, last = math.floor(low / step + 1e-6), math.ceil(high / step - 1e-6)
    return [round(k * step, 12 - math.floor(math.log10(step))) for k in range(first, last + 1)]


def _tick_format(ticks: Sequence[float]) -> Callable[[float], str]:
    """Choose as many decimals as tell the ticks apart, the same for all."""
    step, largest = ticks[1] - ticks[0], max(map(abs, ticks))
    if largest >= 1e7 or largest < 1e-3:
        digits = 2 + math.floor(math.log10(largest)) - math.floor(math.log10(step))
        return lambda value: f"{value:.{digits}g}"
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    decimals += abs(round(step, decimals) - step) > step / 100
    return lambda value: f"{value:,.{decimals}f}"


def _frame(
    x_ticks: Sequence[float],
    y_ticks: Sequence[float],
    titles: tuple[str, str],
    *,
    size: tuple[int, int],
    x_text: Callable[[float], str],
    top: float = 0,
) -> tuple[list[str], _Axis, _Axis]:
    """Draw grid, tick labels and titles of the axes; labels that would touch are left out."""
    x_labels, y_labels = [*map(x_text, x_ticks)], [*map(_tick_format(y_ticks), y_ticks)]
    left, right, bottom = 32 + max(map(_width, y_labels)), max(8, _width(x_labels[-1]) / 2), size[1] - 42
    x_axis, y_axis = _Axis(x_ticks[0], x_ticks[-1], left, size[0] - right), _Axis(y_ticks[0], y_ticks[-1], bottom, top + 10)
    grid = "".join(f"M{_xy(left, y_axis.at(tick))}H{x_axis.end:.1f}" for tick in y_ticks)
    spacing = (x_axis.end - left) / (len(x_ticks) - 1)
    every = math.ceil((max(map(_width, x_labels)) + 10) / spacing)
    shown = list(zip(x_ticks, x_labels, strict=True))[::every]
    notches = "".join(f"M{_xy(x_axis.at(tick), bottom)}v5" for tick, _ in shown)
    parts = [
        f'<path d="{grid}" {_LINE} stroke-opacity=".14"/>',
        f'<path d="M{_xy(left, bottom)}H{x_axis.end:.1f}{notches}" {_LINE} stroke-opacity=".5"/>',
    ]
    parts += [_text(left - 8, y_axis.at(tick) + 4, label, anchor="end") for tick, label in zip(y_ticks, y_labels, strict=True)]
    parts += [_text(x_axis.at(tick), bottom + 19, label, anchor="middle") for tick, label in shown]
    parts.append(_text((left + x_axis.end) / 2, bottom + 38, _fit(titles[0], x_axis.end - left), anchor="middle", is_muted=True))
    parts.append(_upright(12, (bottom + y_axis.end) / 2, _fit(titles[1], bottom - y_axis.end)))
    return parts, x_axis, y_axis


def _interval_text(row: Interval) -> str:
    if not _is_drawable(row.low, row.high):
        return number(row.value)
    return f"{number(row.value)} [{number(row.low)}, {number(row.high)}]"


def _whisker(row: Interval, axis: _Axis, y: float) -> Iterator[str]:
    yield _text(axis.start - 12, y + 4, _fit(row.label, axis.start - 14), anchor="end")
    if not _is_drawable(row.value):
        return
    if _is_drawable(row.low, row.high):
        yield f'<path d="M{_xy(axis.at(row.low), y)}H{axis.at(row.high):.1f}" {_stroke(0)} stroke-opacity=".55"/>'
    yield f'<circle cx="{axis.at(row.value):.1f}" cy="{y:.1f}" r="4.5" {_fill(0)}/>'


def _reference_key(x: float, label: str) -> str:
    return f'<path d="M{_xy(x + 1, 4)}v14" {_LINE} stroke-width="2"/>{_text(x + 9, 15, label, is_muted=True)}'


def _interval_marks(row: Interval, y: float, start: float) -> Iterator[str]:
    if not _is_drawable(row.value):
        return
    has_reference, has_interval = _is_drawable(row.reference), _is_drawable(row.low, row.high)
    origin = row.reference if has_reference else 0.0
    values = [origin, row.value, *([row.low, row.high] if has_interval else [])]
    low, high = min(values), max(values)
    axis = _Axis(low, high if high > low else low + max(abs(low), 1.0), start + 6, WIDTH - 8)
    yield f'<path d="M{_xy(start, y)}H{WIDTH}" {_LINE} stroke-opacity=".14"/>'
    if has_interval:
        left, right = axis.at(row.low), axis.at(row.high)
        yield f'<rect x="{left:.1f}" y="{y - 4:.1f}" width="{right - left:.1f}" height="8" rx="4" {_fill(0)} fill-opacity=".35"/>'
    x = axis.at(origin)
    yield f'<path d="M{_xy(x, y - 8)}v16" {_LINE} stroke-width="{2 if has_reference else 1}"/>'
    half = _width(number(origin)) / 2
    yield _text(min(max(x, start + half), WIDTH - half), y + 20, number(origin), anchor="middle", is_muted=True, size=_SMALL)
    yield f'<circle cx="{axis.at(row.value):.1f}" cy="{y:.1f}" r="4.5" {_fill(0)}/>'


def _matrix_row(row: Sequence[int], left: float, y: float, cell: tuple[float, float], size: float) -> Iterator[str]:
    (side, height), total = cell, sum(row)
    for column, count in enumerate(row):
        # At most half opaque, so that the count stays readable on it in both themes.
        shade = 0.5 * count / total if total else 0.0
        x = left + side * column
        yield (
            f'<rect x="{x + 1:.1f}" y="{y - height / 2 + 1:.1f}" width="{side - 2:.1f}" height="{height - 2:.1f}" rx="2" '
            f'{_fill(0)} fill-opacity="{shade:.3f}" stroke="currentColor" stroke-opacity=".14"/>'
        )
        yield _text(x + side / 2, y + size / 3, f"{count:,}", anchor="middle", size=min(size, 1.6 * side / len(f"{count:,}")))


def _key(names: Sequence[str], width: int, marks: Sequence[Marks] = ()) -> tuple[list[str], float]:
    """Draw the names of the series and marks beside samples of them, in as many rows as they need; give also the height."""
    parts: list[str] = []
    x, y = 0.0, 12.0
    for index, name in enumerate([*names, *(one.name for one in marks)]):
        label = _fit(name, width - 40)
        if x and x + 30 + _width(label) > width:
            x, y = 0.0, y + 20
        is_line = index < len(names)
        sample = f'<path d="M{_xy(x, y - 4)}h22" {_stroke(index)}/>' if is_line else _sign(marks[index - len(names)].sign, x + 14, y - 4)
        parts.append(f"{sample}{_text(x + 28, y, label)}")
        x += 28 + _width(label) + 18
    return parts, y + 6


def _sign(sign: Sign, x: float, y: float) -> str:
    """Draw a mark; a thin edge in the colour of the page keeps it apart from the line below."""
    edge = 'style="stroke:var(--ground,#fff)" stroke-width="1"'
    match sign:
        case "dot":
            return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" {edge}/>'
        case "diamond":
            return f'<path d="M{_xy(x, y - 6.5)}l6.5 6.5l-6.5 6.5l-6.5 -6.5Z" {edge}/>'
        case "cross":
            return f'<path d="M{_xy(x - 4.5, y - 4.5)}l9 9m0 -9l-9 9" {_LINE} stroke-width="2.5"/>'
        case "ring":
            return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="8.5" {_LINE} stroke-width="1.5"/>'


def _stroke(index: int) -> str:
    dash = _DASHES[index % len(_DASHES)]
    return f'fill="none" style="stroke:{_colour(index)}" stroke-width="2" stroke-linejoin="round" stroke-dasharray="{dash}"'


def _points(series: Series) -> Iterator[tuple[float, ...]]:
    """Yield x, y, low and high; without a band the last two are missing."""
    return zip(series.x, series.y, *([series.low, series.high] if series.low else []), strict=True)


def _runs(points: Iterable[tuple[float, ...]]) -> Iterator[list[tuple[float, ...]]]:
    """Yield the stretches without a gap."""
    for drawable, run in groupby(points, lambda point: _is_drawable(*point)):
        if drawable:
            yield list(run)


def _line(series: Series, x_axis: _Axis, y_axis: _Axis, index: int) -> str:
    runs = [[(x_axis.at(x), y_axis.at(y)) for x, y in run] for run in _runs(zip(series.x, series.y, strict=True))]
    path = "".join("M" + "L".join(_xy(*point) for point in run) for run in runs if len(run) > 1)
    # A point between two gaps is a dot of its own: the dashes of the line would leave it out.
    dots = "".join(f'<circle cx="{run[0][0]:.1f}" cy="{run[0][1]:.1f}" r="3" {_fill(index)}/>' for run in runs if len(run) == 1)
    return (f'<path d="{path}" {_stroke(index)} stroke-linecap="round"/>' if path else "") + dots


def _band(series: Series, x_axis: _Axis, y_axis: _Axis, index: int) -> str:
    if not series.low:
        return ""
    path = ""
    for run in _runs(zip(series.x, series.low, series.high, strict=True)):
        edge = [(x, high) for x, _, high in run] + [(x, low) for x, low, _ in reversed(run)]
        path += "M" + "L".join(_xy(x_axis.at(x), y_axis.at(y)) for x, y in edge) + "Z"
    return f'<path d="{path}" {_fill(index)} fill-opacity=".16"/>'
