"""Single characters set in the fonts of a machine, and which font has which."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from PIL import Image, ImageDraw, ImageFont

from training.errors import TrainingError

FOLDERS = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path("~/.local/share/fonts"))
SUFFIXES = (".otf", ".ttf")

SIZE = 160  # pixels to the em
SMALL = 24  # enough to tell glyphs apart

# What a font shows for this, which can be no character, it shows for all that it lacks.
NO_CHARACTER = "\U0010fffe"

# Letters of which a font for text shows no two alike; one of capitals alone sets an i as an I.
TELLING = "ABaIi"

Face: TypeAlias = ImageFont.FreeTypeFont


def find_fonts(folders: Sequence[Path | str] = FOLDERS) -> list[Path]:
    """The .ttf and .otf files in and below ``folders`` that text can be set in, sorted.

    A folder that does not exist has none. Fonts without letters, those of symbols
    among them, and those of capitals alone are left out.
    """
    paths = {
        path
        for folder in folders
        for path in Path(folder).expanduser().rglob("*")
        if path.suffix.lower() in SUFFIXES and path.is_file()
    }
    return sorted(filter(_sets_text, paths))


def load_faces(fonts: Sequence[Path]) -> list[Face]:
    """Every font opened; where there are none, the one that is part of Pillow.

    Raises TrainingError for a file that is no font.
    """
    return [_load(path) for path in fonts] or [_embedded()]


def font_names(fonts: Sequence[Path]) -> list[str]:
    """What the fonts call themselves, sorted; where there are none, Pillow's own and that it is."""
    names = {
        " ".join(part for part in face.getname() if part is not None) for face in load_faces(fonts)
    }
    return sorted(names) if fonts else [f"{name} (embedded in Pillow)" for name in names]


def repertoire(faces: Sequence[Face], characters: str) -> Mapping[str, list[Face]]:
    """For each of the characters that some face has, all faces that have it."""
    small = [face.font_variant(size=SMALL) for face in faces]
    having = {
        character: [face for face, copy in zip(faces, small, strict=True) if _has(copy, character)]
        for character in characters
    }
    return {character: those for character, those in having.items() if those}


def render(face: Face, character: str) -> Image.Image:
    """The ink of a character, 0-255 on a ground of 0, cropped to it; mode "L".

    Where there is no ink, the image is all ground.
    """
    left, top, right, bottom = face.getbbox(character)
    width, height = math.ceil(right - left), math.ceil(bottom - top)
    image = Image.new("L", (max(width, 1), max(height, 1)))
    ImageDraw.Draw(image).text((-left, -top), character, 255, face)
    return image.crop(image.getbbox())


def _load(path: Path) -> Face:
    try:
        # The plain layout is part of every Pillow, and enough for single characters.
        return ImageFont.truetype(path, SIZE, layout_engine=ImageFont.Layout.BASIC)
    except OSError:
        raise TrainingError(f"{path}: is no font that can be read; leave it out") from None


def _embedded() -> Face:
    face = ImageFont.load_default(SIZE)
    if not isinstance(face, ImageFont.FreeTypeFont):
        raise TrainingError("Pillow is without FreeType here; install the wheel that it publishes")
    return face


def _sets_text(path: Path) -> bool:
    try:
        face = _load(path).font_variant(size=SMALL)
        shown = {render(face, character).tobytes() for character in TELLING}
        return len(shown) == len(TELLING) and all(_has(face, letter) for letter in TELLING)
    except (OSError, TrainingError):  # damaged, or of fixed sizes: coloured bitmaps
        return False


def _has(face: Face, character: str) -> bool:
    """Whether a face shows some ink for a character, and not the box for what it lacks."""
    glyph, box = render(face, character), render(face, NO_CHARACTER)
    return glyph.getbbox() is not None and glyph != box
