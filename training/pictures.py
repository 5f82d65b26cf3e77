"""Charts and pictures for reports, as SVG and HTML text.

No plotting library and no scripts: a chart is a few lines with axes. All text
is escaped, nothing refers to anything outside itself, and colours are CSS
variables, so that one drawing serves light and dark pages: put STYLE into the
page that holds it.
"""

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.axes import Axis, Point, Scale, scale

MAX_POINTS = 500  # of a series; more are finer than the screen
MAX_MARKED = 60  # of a series whose points are drawn as dots too

# Units of the drawing; a page scales it to its column.
WIDTH, HEIGHT = 480, 320
LEFT, RIGHT, TOP, BOTTOM = 76, 16, 62, 50
LEGEND_LINE, LEGEND_CHARACTER = 20, 8.3
CELL = 40

# Series by number: Okabe and Ito's colours for all kinds of sight, lighter on a dark ground.
STYLE = """
:root { --ink: #1c1f24; --muted: #5d6570; --grid: #e6e4df; --surface: #ffffff;
  --negative: #1f6fb5; --positive: #d2590a;
  --series-1: #1f6fb5; --series-2: #d2590a; --series-3: #00845f;
  --series-4: #a8457f; --series-5: #7a5ad0; --series-6: #8a6d00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e9eaed; --muted: #a0a8b3; --grid: #333943;
  --surface: #1c2027; --negative: #6db6f0; --positive: #f3945c;
  --series-1: #6db6f0; --series-2: #f3945c; --series-3: #47c9a2;
  --series-4: #e79ac8; --series-5: #b3a1f5; --series-6: #d9bd4a; } }
.chart { display: block; width: 100%; height: auto; font: 13px system-ui, sans-serif; }
@media (max-width: 40rem) { .chart { font-size: 15px; } }
.chart text { fill: var(--muted); }
.chart .title { fill: var(--ink); font-size: 17px; font-weight: 600; }
.chart .grid { stroke: var(--grid); }
.chart .line { fill: none; stroke-width: 2.25; stroke-linejoin: round; stroke-linecap: round; }
.chart .guide { stroke-dasharray: 5 5; stroke-width: 1.5; opacity: .8; }
.chart .interval { stroke-width: 1.5; opacity: .65; }
.chart .wrong { fill: var(--positive); } .chart .right { fill: var(--negative); }
.chart .cell { stroke: var(--surface); stroke-width: 2; }
.chart .empty { fill: var(--grid); fill-opacity: .35; }
.chart text.count { fill: var(--ink); text-anchor: middle; }
.chart text.none { opacity: .35; }
.pictures { display: grid; gap: .75rem; margin: 0; padding: 0; }
.pictures figure { margin: 0; min-width: 0; }
.pictures img { display: block; width: 100%; aspect-ratio: 1; image-rendering: pixelated; }
.pictures figcaption { font-size: .8rem; line-height: 1.35; text-align: center; }
.pictures small { display: block; color: var(--muted); }
""" + "".join(
    f".s{n} {{ stroke: var(--series-{n}); }} .dot.s{n} {{ fill: var(--series-{n}); }}\n"
    for n in range(1, 7)
)
COLOURS = 6


@dataclass(frozen=True)
class Series:
    """Points (x, y) under one name.

    intervals: for each point the low and high y of its error bar, or none at
    all. look: a line through the points, the points alone, or a dashed guide.
    """

    name: str
    points: Sequence[Point]
    intervals: Sequence[Point] = ()
    look: Literal["line", "points", "guide"] = "line"


@dataclass(frozen=True)
class Picture:
    """An image as a data URL; ``alternative`` is what is read out in its place."""

    url: str
    alternative: str = ""
    caption: str = ""
    note: str = ""


# -- line charts ------------------------------------------------------------


def line_chart(
    series: Sequence[Series], *, title: str, x: Axis, y: Axis, height: int = HEIGHT
) -> str:
    """Named series over common axes as an ``<svg>`` element, with a legend.

    Raises ValueError without points, for one that is not finite, and for one
    that is not above 0 on a logarithmic axis.
    """
    xs = [point[0] for one in series for point in one.points]
    ys = [point[1] for one in series for point in one.points]
    ys += [value for one in series for interval in one.intervals for value in interval]
    legend, top = _legend(series)
    x_scale = scale(x, xs, (LEFT, WIDTH - RIGHT), exact=True)
    y_scale = scale(y, ys, (height - BOTTOM, top), exact=False)
    drawn = [
        _draw(one, x_scale, y_scale, number % COLOURS + 1) for number, one in enumerate(series)
    ]
    content = [_title(title), *legend, *_axes(x, x_scale, y, y_scale), *drawn]
    summary = "; ".join(f"{one.name}: {_summary(one)}" for one in series if one.points)
    return _svg(WIDTH, height, f"{title}, {y.label} by {x.label}. {summary}", content)


def thin(points: Sequence[Point], limit: int = MAX_POINTS) -> list[Point]:
    """At most ``limit`` (4 or more) of the points: the ends, and the extremes of what is between.

    No peak is lost, unlike when every n-th point is kept.
    """
    if len(points) <= limit:
        return list(points)
    ys = np.array([point[1] for point in points])
    kept = {0, len(points) - 1}
    for run in np.array_split(np.arange(len(points)), limit // 2 - 1):
        kept |= {int(run[ys[run].argmin()]), int(run[ys[run].argmax()])}
    return [points[index] for index in sorted(kept)]


def _axes(x: Axis, x_scale: Scale, y: Axis, y_scale: Scale) -> list[str]:
    bottom, top = y_scale.start, y_scale.end
    right = WIDTH - RIGHT
    parts = []
    for value, text in x_scale.labels():
        at = x_scale(value)
        parts.append(f'<line class="grid" x1="{at}" x2="{at}" y1="{bottom}" y2="{bottom + 5}"/>')
        parts.append(_text(at, bottom + 20, text, anchor="middle"))
    for value, text in y_scale.labels():
        at = y_scale(value)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{at}" y2="{at}"/>')
        parts.append(_text(LEFT - 8, at + 4.5, text, anchor="end"))
    middle = (top + bottom) / 2
    parts.append(_text((LEFT + right) / 2, bottom + BOTTOM - 10, x.label, anchor="middle"))
    turned = f'transform="rotate(-90 11 {middle})"'
    parts.append(_text(11, middle, y.label, anchor="middle", attributes=turned))
    return parts


def _draw(series: Series, x_scale: Scale, y_scale: Scale, colour: int) -> str:
    points = thin(series.points)
    at = [(x_scale(x), y_scale(y)) for x, y in points]
    parts = []
    for (x, _), (low, high) in zip(series.points, series.intervals, strict=False):
        middle = x_scale(x)
        parts.append(
            f'<line class="interval s{colour}" x1="{middle}" x2="{middle}" '
            f'y1="{y_scale(low)}" y2="{y_scale(high)}"/>'
        )
    if series.look != "points":
        guide = " guide" if series.look == "guide" else ""
        path = " ".join(f"{x},{y}" for x, y in at)
        parts.append(f'<polyline class="line{guide} s{colour}" points="{path}"/>')
    if series.look != "guide" and len(points) <= MAX_MARKED:
        radius = 4 if series.look == "points" or len(points) == 1 else 2.5
        parts += [
            f'<circle class="dot s{colour}" cx="{cx}" cy="{cy}" r="{radius}">'
            f"<title>{escape(series.name)}: {y:.4g} at {x:.4g}</title></circle>"
            for (cx, cy), (x, y) in zip(at, points, strict=True)
        ]
    return "".join(parts)


def _legend(series: Sequence[Series]) -> tuple[list[str], float]:
    """The names beside their colours, in as many lines as they need, and where these end."""
    parts, x, y = [], float(LEFT), float(TOP - LEGEND_LINE)
    for number, one in enumerate(series):
        width = 34 + LEGEND_CHARACTER * len(one.name)
        if x > LEFT and x + width > WIDTH:
            x, y = LEFT, y + LEGEND_LINE
        colour = f"s{number % COLOURS + 1}"
        if one.look == "points":
            mark = f'<circle class="dot {colour}" cx="{x + 10}" cy="{y}" r="4"/>'
        else:
            kind = "line guide" if one.look == "guide" else "line"
            mark = f'<line class="{kind} {colour}" x1="{x}" x2="{x + 20}" y1="{y}" y2="{y}"/>'
        parts.append(mark + _text(x + 26, y + 4.5, one.name))
        x += width
    return parts, y + LEGEND_LINE


def _summary(series: Series) -> str:
    first, last = series.points[0][1], series.points[-1][1]
    if len(series.points) == 1:
        return f"{first:.4g}"
    ys = [y for _, y in series.points]
    return (
        f"{len(ys)} points from {first:.4g} to {last:.4g}, "
        f"least {min(ys):.4g}, greatest {max(ys):.4g}"
    )


# -- heat maps --------------------------------------------------------------


def heat_map(
    counts: NDArray[np.integer[Any]], *, title: str, row_label: str, column_label: str
) -> str:
    """Counts (R, C) of a confusion matrix as an ``<svg>`` element, each with its number.

    The diagonal, where rows and columns agree, has a colour and a scale of its own:
    beside it nothing else would show. Colours go with the root of a count, so that
    rare mistakes are seen.
    """
    rows, columns = counts.shape
    left, top = 58, 92
    off_diagonal = np.where(np.eye(rows, columns, dtype=bool), 0, counts)
    most = {True: max(1, int(counts.diagonal().max())), False: max(1, int(off_diagonal.max()))}
    content = [
        _title(title),
        _text(left + columns * CELL / 2, 58, column_label, anchor="middle"),
        _text(
            16,
            top + rows * CELL / 2,
            row_label,
            anchor="middle",
            attributes=f'transform="rotate(-90 16 {top + rows * CELL / 2})"',
        ),
        *(
            _text(left + (c + 0.5) * CELL, top - 10, str(c), anchor="middle")
            for c in range(columns)
        ),
        *(_text(left - 12, top + (r + 0.5) * CELL + 5, str(r), anchor="end") for r in range(rows)),
    ]
    for row, column in np.ndindex(rows, columns):
        count, same = int(counts[row, column]), row == column
        place = f"{row_label} {row}, {column_label} {column}: {count:,}"
        content.append(
            _cell(left + column * CELL, top + row * CELL, count, most[same], place, same=same)
        )
    spoken = f"{title}. {counts.trace():,} of {counts.sum():,} on the diagonal"
    return _svg(left + columns * CELL + 22, top + rows * CELL + 12, spoken, content)


def _cell(x: float, y: float, count: int, most: int, place: str, *, same: bool) -> str:  # noqa: PLR0913 - what a cell is made of
    kind = "empty" if count == 0 else "right" if same else "wrong"
    # Under 0.65 the number on top is readable in both colour schemes.
    opacity = f' fill-opacity="{0.12 + 0.53 * math.sqrt(count / most):.2f}"' if count else ""
    faint = "" if count else " none"
    return (
        f'<g><title>{escape(place)}</title><rect class="cell {kind}"{opacity} x="{x}" y="{y}" '
        f'width="{CELL}" height="{CELL}" rx="6"/>'
        f'<text class="count{faint}" x="{x + CELL / 2}" y="{y + CELL / 2 + 4.5}">{count}</text></g>'
    )


# -- pictures ---------------------------------------------------------------


def grey_png(image: NDArray[np.uint8]) -> str:
    """An image (H, W) of 0-255 as a data URL."""
    return _png(image)


def diverging_png(values: NDArray[np.floating[Any]], limit: float) -> str:
    """Values (H, W) as a data URL: blue below 0, orange above, the stronger the more opaque.

    0 is transparent, so it is the page's own ground in any colour scheme; ``limit`` and
    beyond are opaque.
    """
    strength = np.clip(np.abs(values) / limit, 0, 1)
    blue, orange = np.array([45, 130, 205]), np.array([238, 120, 35])
    colours = np.where(values[..., np.newaxis] < 0, blue, orange)  # (H, W, 3)
    return _png(np.dstack([colours, np.rint(255 * strength)]).astype(np.uint8))


def image_grid(pictures: Sequence[Picture], *, label: str, columns: int) -> str:
    """Pictures in that many columns, or in as many as a narrow page has room for."""
    least = f"max(3.25rem, 100% / {columns} - .75rem)"  # .75rem is the gap
    style = f"grid-template-columns: repeat(auto-fill, minmax({least}, 1fr))"
    figures = "".join(map(_figure, pictures))
    return (
        f'<div class="pictures" role="group" aria-label="{escape(label)}" style="{style}">'
        f"{figures}</div>"
    )


def _figure(picture: Picture) -> str:
    note = f"<small>{escape(picture.note)}</small>" if picture.note else ""
    words = escape(picture.caption) + note
    caption = f"<figcaption>{words}</figcaption>" if words else ""
    image = f'<img src="{picture.url}" alt="{escape(picture.alternative)}">'
    return f"<figure>{image}{caption}</figure>"


def _png(pixels: NDArray[np.uint8]) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


# -- parts ------------------------------------------------------------------


def _svg(width: float, height: float, spoken: str, content: Sequence[str]) -> str:
    return (
        f'<svg class="chart" role="img" viewBox="0 0 {width} {height}" '
        f'aria-label="{escape(spoken)}">{"".join(content)}</svg>'
    )


def _title(text: str) -> str:
    return f"<title>{escape(text)}</title>" + _text(0, 22, text, attributes='class="title"')


def _text(x: float, y: float, text: str, *, anchor: str = "start", attributes: str = "") -> str:
    return (
        f'<text x="{x}" y="{y}" text-anchor="{anchor}" {attributes}'.rstrip()
        + f">{escape(text)}</text>"
    )
