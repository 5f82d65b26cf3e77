import base64
import io
import math
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.helpers import table
from tests.training.markup import Element, parse
from training.axes import Axis, Point
from training.pictures import (
    HEIGHT,
    MAX_POINTS,
    STYLE,
    WIDTH,
    Picture,
    Series,
    diverging_png,
    grey_png,
    heat_map,
    image_grid,
    line_chart,
    thin,
)

HOSTILE = "<b>\"&'</svg>"


def chart(series: Sequence[Series], x: Axis | None = None, y: Axis | None = None) -> Element:
    drawn = line_chart(series, title="A title", x=x or Axis("epoch"), y=y or Axis("loss"))
    return parse(drawn).all("svg")[0]


def places(line: Element) -> list[Point]:
    """The points of a polyline."""
    pairs = [pair.split(",") for pair in line.attributes["points"].split()]
    return [(float(x), float(y)) for x, y in pairs]


def pixels(url: str) -> NDArray[np.uint8]:
    kind, _, data = url.partition(",")
    assert kind == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


# -- line charts ------------------------------------------------------------


def test_a_chart_says_what_it_shows_to_eyes_and_ears() -> None:
    svg = chart([Series("training", [(1, 0.5), (2, 0.25)]), Series("held out", [(1, 0.75)])])
    texts = [text.text for text in svg.all("text")]
    for word in ("A title", "epoch", "loss", "training", "held out", "0.2", "0.8"):
        assert word in texts
    assert svg.attributes["role"] == "img"
    spoken = svg.attributes["aria-label"]
    assert "A title, loss by epoch" in spoken
    assert "training: 2 points from 0.5 to 0.25" in spoken
    assert "held out: 0.75" in spoken
    assert svg.children[0].tag == "title"


def test_points_lie_where_the_axes_say() -> None:
    svg = chart([Series("a", [(0, 0), (5, 10), (10, 5)])])
    (line,) = svg.all("polyline")
    (x0, y0), (x1, y1), (x2, y2) = places(line)
    assert x1 - x0 == x2 - x1 > 0
    assert y0 - y1 == pytest.approx(2 * (y2 - y1))
    assert y0 > y2 > y1  # up is more
    grid = {float(mark.attributes["y1"]) for mark in svg.classes("grid")}
    assert {y0, y1} <= grid  # 0 and 10 are ticks


def test_everything_is_within_the_drawing() -> None:
    points = [(x, math.sin(x)) for x in range(30)]
    svg = chart([Series("wave", points, [(y - 0.5, y + 0.5) for _, y in points])])
    for name, size in (("x", WIDTH), ("y", HEIGHT)):
        found = [
            float(value)
            for kind in ("line", "text", "circle")
            for element in svg.all(kind)
            for key, value in element.attributes.items()
            if key in {name, f"c{name}", f"{name}1", f"{name}2"}
        ]
        assert 0 <= min(found) < max(found) <= size


@table(
    "look, lines, dots",
    {"line": ("line", 1, 2), "points": ("points", 0, 2), "guide": ("guide", 1, 0)},
)
def test_a_series_looks_as_asked(look: str, lines: int, dots: int) -> None:
    series = Series("a", [(0, 1), (1, 2)], look=look)  # type: ignore[arg-type]
    svg = chart([series])
    assert len(svg.all("polyline")) == lines
    assert len([dot for dot in svg.all("circle") if dot.all("title")]) == dots


def test_a_single_point_is_seen() -> None:
    svg = chart([Series("a", [(1, 0.4)])], x=Axis("epoch", whole=True))
    (dot,) = svg.all("circle")
    assert dot.text == "a: 0.4 at 1"


def test_intervals_are_drawn_at_their_points() -> None:
    svg = chart([Series("a", [(0, 5), (1, 5)], [(4, 6), (2, 8)], "points")])
    first, second = svg.classes("interval")
    dots = [dot.attributes["cx"] for dot in svg.all("circle") if dot.all("title")]
    assert [first.attributes["x1"], second.attributes["x1"]] == dots
    heights = [float(bar.attributes["y1"]) - float(bar.attributes["y2"]) for bar in (first, second)]
    assert heights[1] == pytest.approx(3 * heights[0], abs=0.3)


def test_every_series_has_a_colour_that_the_style_knows() -> None:
    svg = chart([Series(f"series {n}", [(0, n), (1, n)]) for n in range(6)])
    kinds = [line.attributes["class"].split()[-1] for line in svg.all("polyline")]
    assert len(set(kinds)) == 6
    for kind in kinds:
        assert f".{kind} {{ stroke:" in STYLE


def test_a_long_legend_is_broken_into_lines_above_the_plot() -> None:
    names = [f"a series with a name of some length {n}" for n in range(4)]
    svg = chart([Series(name, [(0, 0), (1, 1)]) for name in names])
    heights = [float(text.attributes["y"]) for text in svg.all("text") if text.text in names]
    assert len(set(heights)) == 4
    assert max(heights) < min(y for line in svg.all("polyline") for _, y in places(line))


def test_text_is_escaped() -> None:
    drawn = line_chart([Series(HOSTILE, [(0, 1)])], title=HOSTILE, x=Axis(HOSTILE), y=Axis(HOSTILE))
    (svg,) = parse(drawn).all("svg")
    assert not svg.all("b")
    assert [text.text for text in svg.all("text")].count(HOSTILE) == 4
    assert svg.attributes["aria-label"].count(HOSTILE) == 4


# -- thinning ---------------------------------------------------------------


@pytest.mark.parametrize("count", [1, MAX_POINTS, MAX_POINTS + 1, 20_000])
def test_no_more_points_are_drawn_than_can_be_seen(count: int) -> None:
    points = [(float(x), math.cos(x)) for x in range(count)]
    (line,) = chart([Series("a", points)]).all("polyline")
    assert len(places(line)) <= MAX_POINTS
    assert len(places(line)) >= min(count, MAX_POINTS * 0.9)


def test_thinning_keeps_the_ends_the_order_and_every_peak() -> None:
    points = [(float(x), 0.001 * x) for x in range(10_000)]
    points[4321], points[8765] = (4321.0, 50.0), (8765.0, -50.0)
    kept = thin(points)
    assert kept == sorted(kept)
    assert {points[0], points[4321], points[8765], points[-1]} <= set(kept)


# -- heat maps --------------------------------------------------------------


def test_a_heat_map_has_every_count_in_its_place() -> None:
    counts = np.array([[90, 0, 4], [1, 1200, 0], [0, 16, 70]])
    (svg,) = parse(heat_map(counts, title="Mix", row_label="label", column_label="answer")).all(
        "svg"
    )
    cells = svg.all("g")
    assert [cell.classes("count")[0].text for cell in cells] == [str(n) for n in counts.flat]
    assert cells[2].all("title")[0].text == "label 0, answer 2: 4"
    assert cells[4].all("title")[0].text == "label 1, answer 1: 1,200"
    corners = [
        (float(cell.all("rect")[0].attributes["y"]), float(cell.all("rect")[0].attributes["x"]))
        for cell in cells
    ]
    assert corners == sorted(corners)
    assert "1,360 of 1,381 on the diagonal" in svg.attributes["aria-label"]


def test_a_heat_map_tells_right_from_wrong_and_much_from_little() -> None:
    counts = np.array([[90, 0, 4], [1, 1200, 0], [0, 16, 70]])
    root = parse(heat_map(counts, title="Mix", row_label="label", column_label="answer"))
    cells = dict(zip(np.ndindex(3, 3), root.all("rect"), strict=True))
    kinds = {place: cell.attributes["class"].split()[-1] for place, cell in cells.items()}
    assert {kinds[place] for place in ((0, 0), (1, 1), (2, 2))} == {"right"}
    assert {kinds[place] for place in ((0, 2), (1, 0), (2, 1))} == {"wrong"}
    assert {kinds[place] for place in ((0, 1), (1, 2), (2, 0))} == {"empty"}
    opacity = {place: float(cells[place].attributes.get("fill-opacity", 0)) for place in cells}
    assert opacity[1, 0] < opacity[0, 2] < opacity[2, 1] == opacity[1, 1] <= 0.65


def test_a_heat_map_of_nothing_is_drawn() -> None:
    root = parse(heat_map(np.zeros((2, 2), int), title="t", row_label="r", column_label="c"))
    assert len(root.classes("empty")) == 4


# -- pictures ---------------------------------------------------------------


def test_a_grey_picture_is_the_image() -> None:
    image = np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)
    np.testing.assert_array_equal(pixels(grey_png(image)), image)


def test_weights_are_blue_below_zero_orange_above_and_clear_at_zero() -> None:
    found = pixels(diverging_png(np.array([[-2.0, -0.5, 0.0, 1.0, 7.0]]), limit=2.0))[0]
    assert found[:, 3].tolist() == [255, 64, 0, 128, 255]
    red, blue = found[:, 0].astype(int), found[:, 2].astype(int)
    assert (np.sign(red - blue)[[0, 1, 3, 4]] == [-1, -1, 1, 1]).all()


def test_a_grid_shows_and_describes_its_pictures() -> None:
    url = grey_png(np.zeros((2, 2), np.uint8))
    pictures = [Picture(url, "a four", "4 → 9", "98%"), Picture(url, HOSTILE, HOSTILE, HOSTILE)]
    (grid,) = parse(image_grid(pictures, label=HOSTILE, columns=8)).children
    assert grid.attributes["aria-label"] == HOSTILE
    assert [image.attributes["alt"] for image in grid.all("img")] == ["a four", HOSTILE]
    assert [text.text for text in grid.all("figcaption")] == ["4 → 998%", HOSTILE * 2]
    assert {image.attributes["src"] for image in grid.all("img")} == {url}
