"""An explanation as one picture, for who would rather look than read; Pillow draws it."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from model import Explanation
from model.architecture import FRAME_SIDE
from model.classifier import Reason
from model.frame import Finding

Colour: TypeAlias = tuple[int, int, int]

# Three panels and a column of words, the frame enlarged eight times; in pixels.
PANEL = 224
MARGIN = 24
GAP = 20
SIZE = (1000, 390)
PANELS_TOP = 54
BELOW = PANELS_TOP + PANEL + 8
STRIP = 8  # the height of the legend's colours
STRIP_GAP = 8
ACCOUNT_TOP = 322
WORDS_LEFT = MARGIN + 3 * (PANEL + GAP)
WORDS_WIDTH = SIZE[0] - MARGIN - WORDS_LEFT

PAPER = (246, 246, 244)
INK = (32, 33, 36)
FAINT = (95, 99, 104)  # 5.5 to 1 against the paper
EDGE = (189, 193, 198)

# As on the page. Orange and blue differ for every kind of colour blindness.
FOR = (40, 125, 255)
AGAINST = (240, 120, 10)
OPAQUE = 0.85  # at the most important pixel: what is below still shows
LEAST_PEAK = 1.0  # nats; a map that is weaker than that everywhere is drawn pale

TEXT = 15
SMALL = 13
HEADLINE = 22
DIGIT = 96
LEADING = 1.35  # from line to line, in heights of the font
ACCOUNT_LINES = 2
REASON_LINES = 3

NEARLY_SURE = 0.999  # above it the share would be rounded to 100 %

REASONS: Mapping[Reason, str] = {
    "blank": "There is nothing on it that could be a digit.",
    "too_much_ink": "There is too much ink for one digit.",
    "several_digits": "There seems to be more than one digit.",
    "out_of_distribution": "It does not look like a digit.",
    "low_confidence": "It could be more than one digit.",
}
FINDINGS: Mapping[Finding, str] = {
    "inverted": "dark ink on light ground",
    "low_contrast": "faint ink",
    "touches_border": "ink at the edge",
    "very_small": "very small",
}


def draw(image: NDArray[np.uint8], why: Explanation) -> bytes:
    """The image (H, W) uint8 that was sent, the frame, the map over it and the answer: a PNG."""
    sheet = Image.new("RGB", SIZE, PAPER)
    pen = ImageDraw.Draw(sheet)
    frame = why.frame.pixels
    height, width = image.shape
    panels = [
        ("The image", f"{width} x {height} pixels", _fitted(image)),
        ("What the model saw", f"{FRAME_SIDE} x {FRAME_SIDE} pixels", _enlarged(frame)),
        (f"What speaks for {why.prediction.digit}", "", _overlaid(frame, why.importance)),
    ]
    for number, (title, below, panel) in enumerate(panels):
        left = MARGIN + number * (PANEL + GAP)
        pen.text((left, MARGIN), title, INK, _font(TEXT))
        sheet.paste(panel, (left, PANELS_TOP))
        pen.rectangle((left - 1, PANELS_TOP - 1, left + PANEL, PANELS_TOP + PANEL), outline=EDGE)
        pen.text((left, BELOW), below, FAINT, _font(SMALL))
    if why.importance.any():
        _draw_legend(sheet, left, why.prediction.digit)
    else:
        pen.text((left, BELOW), "nothing on it changes the answer", FAINT, _font(SMALL))
    _write_answer(_Column(pen, WORDS_LEFT, MARGIN, WORDS_WIDTH), why)
    account = _Column(pen, MARGIN, ACCOUNT_TOP, SIZE[0] - 2 * MARGIN)
    account.write(_account(image, why), ACCOUNT_LINES)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    return buffer.getvalue()


def _fitted(image: NDArray[np.uint8]) -> Image.Image:
    """The image within a panel, its aspect kept; a small one is enlarged without blurring."""
    height, width = image.shape
    scale = PANEL / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BOX
    panel = Image.new("RGB", (PANEL, PANEL), EDGE)
    fitted = Image.fromarray(image).resize(size, method)
    panel.paste(fitted, ((PANEL - size[0]) // 2, (PANEL - size[1]) // 2))
    return panel


def _enlarged(frame: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(frame).resize((PANEL, PANEL), Image.Resampling.NEAREST)


def _overlaid(frame: NDArray[np.uint8], importance: NDArray[np.float32]) -> Image.Image:
    """The frame with the map over it, smoothed: patches have no edges that mean anything."""
    peak = max(float(np.abs(importance).max()), LEAST_PEAK)
    shares = Image.fromarray(importance / peak).resize((PANEL, PANEL), Image.Resampling.BILINEAR)
    return Image.fromarray(_tinted(np.asarray(_enlarged(frame)), np.asarray(shares)))


def _tinted(grey: NDArray[np.uint8], shares: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Grey (H, W) under the colours of shares (H, W) from -1 to 1: (H, W, 3)."""
    opacity = OPAQUE * np.abs(shares)[..., np.newaxis]
    colour = np.where(shares[..., np.newaxis] > 0, FOR, AGAINST)
    return np.rint(grey[..., np.newaxis] * (1 - opacity) + colour * opacity).astype(np.uint8)


def _draw_legend(sheet: Image.Image, left: int, digit: int) -> None:
    """What the two colours mean, on both sides of a strip of them, below a panel."""
    pen, font = ImageDraw.Draw(sheet), _font(SMALL)
    against, speaks_for = f"against {digit}", f"for {digit}"
    start = left + round(font.getlength(against)) + STRIP_GAP
    end = left + PANEL - round(font.getlength(speaks_for)) - STRIP_GAP
    shares = np.tile(np.linspace(-1, 1, end - start, dtype=np.float32), (STRIP, 1))
    strip = _tinted(np.zeros(shares.shape, np.uint8), shares)
    sheet.paste(Image.fromarray(strip), (start, BELOW + (SMALL - STRIP)))
    pen.text((left, BELOW), against, FAINT, font)
    pen.text((left + PANEL, BELOW), speaks_for, FAINT, font, anchor="ra")


@dataclass
class _Column:
    """A place for text: each piece stands below the one before."""

    pen: ImageDraw.ImageDraw
    left: int
    top: float
    width: int

    def write(self, text: str, lines: int = 1, size: int = TEXT) -> None:
        """Text in at most so many lines."""
        font = _font(size)
        for line in _wrapped(text, font, self.width, lines):
            self.pen.text((self.left, self.top), line, INK, font)
            self.top += size * LEADING


def _write_answer(column: _Column, why: Explanation) -> None:
    """What was read, how sure the model is, and whether it stands by it."""
    prediction = why.prediction
    sure = f"{_sureness(prediction.confidence)} sure"
    if prediction.reason is None:
        column.write("Read as")
        place = (column.left, PANELS_TOP)
        column.pen.text(place, str(prediction.digit), INK, _font(DIGIT), anchor="lt")
        column.top = PANELS_TOP + DIGIT
        column.write("Accepted", size=HEADLINE)
        column.write(f"It is {sure}.")
        return
    column.top = PANELS_TOP
    column.write("Not accepted", size=HEADLINE)
    column.write(REASONS[prediction.reason], REASON_LINES)
    if why.frame.reason is None:  # otherwise there was nothing to guess from
        column.top += GAP
        column.write(f"Its best guess: {prediction.digit}, {sure}.", REASON_LINES)


def _sureness(confidence: float) -> str:
    return "over 99.9 %" if confidence > NEARLY_SURE else f"{confidence:.1%}".replace("%", " %")


def _account(image: NDArray[np.uint8], why: Explanation) -> str:
    """What was found and done on the way from the image to the frame."""
    sentences = []
    if why.frame.warnings:
        sentences.append(f"Noticed: {', '.join(FINDINGS[one] for one in why.frame.warnings)}.")
    if why.frame.steps:
        sentences.append(f"Done: {'; '.join(step.did for step in why.frame.steps)}.")
    elif np.array_equal(image, why.frame.pixels):
        sentences.append("The model saw the image as it was sent.")
    return " ".join(sentences)


def _wrapped(text: str, font: ImageFont.FreeTypeFont, width: int, most: int) -> list[str]:
    """Lines that fit the width in pixels; where there are too many, the last ends in dots."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    if len(lines) > most:
        last = lines[most - 1]
        while font.getlength(f"{last} ...") > width:
            last = last.rpartition(" ")[0]
        lines[most - 1 :] = [f"{last} ..."]
    return lines


def _font(size: int) -> ImageFont.FreeTypeFont:
    """The font in Pillow's wheel: there need be none on the system."""
    return cast("ImageFont.FreeTypeFont", ImageFont.load_default(size))  # else a bitmap font's
