"""The kinds of scenes in which people show digits, and what each is made of.

Sizes and places are random in all of them, as are pens and shades within what the kind allows;
a person reads every one at once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np

from model.network import PIXEL_MAX
from training.scene_paper import Box, Light, Paper, Rules
from training.scene_pens import Pen
from training.stranger_textures import chance, log_uniform

MOST_TURNED = 10.0  # degrees
LARGEST = 800  # pixels: the side of the largest sheets
FINEST_PEN = 1.6  # pixels: what JPEG leaves legible of the faintest ink
LEAST_CONTRAST = 60  # between ink and ground, where the light is weakest


@dataclass(frozen=True)
class Scene:
    """What a sheet shows, and how.

    size: of the sheet, height and width; a digit that is larger makes it larger. place: of the
    digit, shares 0-1 of the free height and width. ground, ink: shades 0-255, the ink darker.
    inverted: whether the finished sheet is turned into its negative.
    """

    kind: str
    size: tuple[int, int]
    place: tuple[float, float]
    ground: float
    ink: float
    pen: Pen
    inverted: bool = False
    rules: Rules | None = None
    box: Box | None = None
    light: Light | None = None
    paper: Paper = field(default_factory=Paper)


Draw: TypeAlias = Callable[[np.random.Generator], Scene]


# -- draws that kinds share -------------------------------------------------


def _size(rng: np.random.Generator, height: float, most: float = 5.0) -> tuple[int, int]:
    """Of a sheet: 1.1 to ``most`` times the digit, not quite square, 28 to 800 pixels."""
    side = log_uniform(rng, 1.1, most) * height
    tall, wide = (side * log_uniform(rng, 0.8, 1.25) for _ in range(2))
    return _within(tall), _within(wide)


def _within(side: float) -> int:
    return round(min(max(side, 28), LARGEST))


def _place(rng: np.random.Generator) -> tuple[float, float]:
    return float(rng.random()), float(rng.random())


def _shades(rng: np.random.Generator, dimmest: float = 1.0) -> tuple[float, float]:
    """Ground and darker ink, their contrast at least 60 in light of ``dimmest``."""
    least = LEAST_CONTRAST / dimmest
    ground = rng.uniform(max(least + 10, 110), PIXEL_MAX)
    return float(ground), float(rng.uniform(0, ground - least))


def _pen(rng: np.random.Generator, height: float, thinnest: float = 0.035) -> Pen:
    """MNIST's own strokes, thinner or thicker, or a pen of 3.5 to 13 % of the digit's height."""
    rotation = float(rng.uniform(-MOST_TURNED, MOST_TURNED))
    if chance(rng, 0.5):
        return Pen(height, level=float(rng.uniform(0.2, 0.48)), rotation=rotation)
    width = max(FINEST_PEN, height * log_uniform(rng, thinnest, 0.13))
    return Pen(height, width, rotation=rotation)


# -- kinds ------------------------------------------------------------------


def _plain(rng: np.random.Generator) -> Scene:
    """Any pen in any shade on an even ground of another, light or dark."""
    height = log_uniform(rng, 20, 400)
    ground, ink = _shades(rng)
    return Scene(
        "plain",
        _size(rng, height),
        _place(rng),
        ground,
        ink,
        _pen(rng, height),
        inverted=chance(rng, 0.5),
        paper=Paper(noise=float(rng.uniform(0, 4)), specks=int(rng.integers(3))),
    )


def _light(rng: np.random.Generator) -> Scene:
    """A photograph in light that falls off to a side or to the corners."""
    height = log_uniform(rng, 30, 300)
    darkest = float(rng.uniform(0.45, 0.85))
    ground, ink = _shades(rng, darkest)
    return Scene(
        "light",
        _size(rng, height),
        _place(rng),
        ground,
        ink,
        _pen(rng, height),
        inverted=chance(rng, 0.25),
        light=Light(darkest, float(rng.uniform(0, 2 * np.pi)), radial=chance(rng, 0.4)),
        paper=Paper(noise=float(rng.uniform(1, 5))),
    )


def _rules(rng: np.random.Generator, spacing: float, pen: Pen, *, crossed: bool = False) -> Rules:
    """Lines no thicker than the pen, paler than its ink."""
    broad = pen.width or pen.height / 8
    return Rules(
        spacing=spacing,
        thickness=float(min(rng.uniform(1, 4), max(1.0, 0.8 * broad))),
        tone=float(rng.uniform(0.2, 0.75)),
        offset=float(rng.uniform(0, spacing)),
        angle=float(rng.uniform(-2, 2)) if chance(rng, 0.6) else 0.0,
        crossed=crossed,
        margin=float(rng.uniform(0.05, 0.25)) if not crossed and chance(rng, 0.25) else None,
    )


def _ruled(rng: np.random.Generator) -> Scene:
    """Paper with lines every 30 to 140 pixels."""
    spacing = log_uniform(rng, 30, 140)
    height = min(max(spacing * log_uniform(rng, 0.7, 2.5), 35), 300)
    return _on_lines("ruled", rng, height, spacing, crossed=False)


def _squared(rng: np.random.Generator) -> Scene:
    """Paper with squares of 20 to 100 pixels."""
    spacing = log_uniform(rng, 20, 100)
    height = min(max(spacing * log_uniform(rng, 0.8, 3), 35), 300)
    return _on_lines("squared", rng, height, spacing, crossed=True)


def _on_lines(
    kind: str, rng: np.random.Generator, height: float, spacing: float, *, crossed: bool
) -> Scene:
    """Paper from a pad, 200 to 800 pixels of it."""
    ground, ink = _shades(rng)
    pen = _pen(rng, height, 0.05)
    side = max(200.0, log_uniform(rng, 1.3, 4) * max(height, spacing))
    return Scene(
        kind,
        (_within(side * log_uniform(rng, 0.8, 1.25)), _within(side)),
        _place(rng),
        ground,
        ink,
        pen,
        inverted=chance(rng, 0.15),
        rules=_rules(rng, spacing, pen, crossed=crossed),
        paper=Paper(noise=float(rng.uniform(0, 4)), specks=int(rng.integers(3))),
    )


def _boxed(rng: np.random.Generator) -> Scene:
    """A field of a form; in some, the digit touches the border or stands over it."""
    height = log_uniform(rng, 24, 250)
    ground, ink = _shades(rng)
    pen = _pen(rng, height)
    gaps = rng.uniform(0.08, 0.5, 4)
    if chance(rng, 0.25):
        gaps[rng.integers(4)] = rng.uniform(-0.1, 0.05)
    broad = pen.width or height / 8
    box = Box(
        thickness=float(min(rng.uniform(1, 4), max(1.0, 0.8 * broad))),
        tone=float(rng.uniform(0.3, 1)),
        gaps=(float(gaps[0]), float(gaps[1]), float(gaps[2]), float(gaps[3])),
        neighbours=chance(rng, 0.4),
    )
    return Scene(
        "boxed",
        _size(rng, height, 3),
        _place(rng),
        ground,
        ink,
        pen,
        inverted=chance(rng, 0.25),
        box=box,
        paper=Paper(noise=float(rng.uniform(0, 4)), specks=int(rng.integers(3))),
    )


def _scan(rng: np.random.Generator) -> Scene:
    """A ballpoint or felt pen on ruled paper, scanned at 600 dpi: lines of 7 to 9 mm."""
    spacing = float(rng.uniform(5, 9)) * 600 / 25.4
    height = spacing * log_uniform(rng, 0.6, 1.8)
    pen = Pen(
        height,
        width=float(rng.uniform(0.35, 1.0)) * 600 / 25.4,
        rotation=float(rng.uniform(-MOST_TURNED, MOST_TURNED)),
        fading=float(rng.uniform(0, 0.4)),
    )
    rules = Rules(
        spacing=spacing,
        thickness=float(rng.uniform(3, 8)),
        tone=float(rng.uniform(0.15, 0.6)),
        offset=float(rng.uniform(0, spacing)),
        angle=float(rng.uniform(-1.5, 1.5)),
    )
    side = log_uniform(rng, 1.3, 2.5) * height
    return Scene(
        "scan",
        (_within(side * log_uniform(rng, 0.9, 1.2)), _within(side)),
        _place(rng),
        float(rng.uniform(215, 253)),
        float(rng.uniform(20, 110)),
        pen,
        rules=rules if chance(rng, 0.85) else None,
        paper=Paper(
            mottling=float(rng.uniform(0, 6)),
            noise=float(rng.uniform(2, 7)),
            specks=int(rng.integers(8)),
        ),
    )


def _document(rng: np.random.Generator) -> Scene:
    """An old register: yellowed and stained, in iron ink that has browned unevenly."""
    height = log_uniform(rng, 28, 200)
    ground = float(rng.uniform(160, 225))
    pen = _pen(rng, height, 0.05)
    return Scene(
        "document",
        _size(rng, height, 2.5),
        _place(rng),
        ground,
        float(rng.uniform(20, ground - 120)),
        replace(pen, fading=float(rng.uniform(0.1, 0.4))),
        light=Light(float(rng.uniform(0.85, 1)), float(rng.uniform(0, 2 * np.pi))),
        paper=Paper(
            mottling=float(rng.uniform(5, 16)),
            stains=int(rng.integers(3)),
            bleeding=float(rng.uniform(0.05, 0.25)) if chance(rng, 0.5) else 0.0,
            noise=float(rng.uniform(3, 9)),
            specks=int(rng.integers(6)),
        ),
    )


def _envelope(rng: np.random.Generator) -> Scene:
    """A postal code's digit, cut out; many scanners made black and white of it."""
    height = log_uniform(rng, 24, 90)
    pen = _pen(rng, height, 0.06)
    binary = chance(rng, 0.6)
    ground = float(rng.uniform(170, 240))
    return Scene(
        "envelope",
        _size(rng, height, 1.8),
        _place(rng),
        ground,
        float(rng.uniform(20, ground - 90)),
        replace(pen, aspect=log_uniform(rng, 0.7, 1.4), fading=float(rng.uniform(0, 0.2))),
        paper=Paper(
            mottling=float(rng.uniform(0, 12)),
            noise=float(rng.uniform(6, 16)),
            specks=int(rng.integers(8)),
            binary=binary,
        ),
    )


def _canvas(rng: np.random.Generator) -> Scene:
    """A small canvas on a page, 40 to 80 pixels, with a line of one or two."""
    side = int(rng.integers(40, 81))
    height = side * float(rng.uniform(0.4, 0.9))
    # Of a line a pixel wide, most pixels hold but a part.
    ground, ink = (255.0, 0.0) if chance(rng, 0.7) else _shades(rng, 0.6)
    pen = Pen(
        height,
        width=float(rng.uniform(1, 2.2)),
        rotation=float(rng.uniform(-MOST_TURNED, MOST_TURNED)),
    )
    return Scene("canvas", (side, side), _place(rng), ground, ink, pen, inverted=chance(rng, 0.5))


def _tablet(rng: np.random.Generator) -> Scene:
    """Strokes of one width, anti-aliased, from a tablet or a large canvas: clean."""
    height = log_uniform(rng, 60, 400)
    pen = Pen(
        height,
        width=max(1.5, height * log_uniform(rng, 0.015, 0.12)),
        rotation=float(rng.uniform(-MOST_TURNED, MOST_TURNED)),
    )
    ground, ink = (255.0, 0.0) if chance(rng, 0.7) else _shades(rng)
    size, place = _size(rng, height, 4), _place(rng)
    return Scene("tablet", size, place, ground, ink, pen, inverted=chance(rng, 0.4))


KINDS: Mapping[str, Draw] = {
    draw.__name__.removeprefix("_"): draw
    for draw in (
        _plain,
        _light,
        _ruled,
        _squared,
        _boxed,
        _scan,
        _document,
        _envelope,
        _canvas,
        _tablet,
    )
}


def any_scene(rng: np.random.Generator) -> Scene:
    """A scene of any kind, each as likely."""
    names = list(KINDS)
    return KINDS[names[rng.integers(len(names))]](rng)
