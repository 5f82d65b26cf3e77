import gzip
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers import PROPERTY, synthetic_mnist, table
from training import rows
from training.errors import DataError
from training.rows import Digits, read_csv, write_csv

DIGITS = synthetic_mnist(train=20, test=10).train
BLOCKS = pytest.mark.parametrize("block", [10_000, rows.CSV_BLOCK], ids=["in blocks", "at once"])


def assert_same(found: Digits, expected: Digits) -> None:
    np.testing.assert_array_equal(found.images, expected.images, strict=True)
    np.testing.assert_array_equal(found.labels, expected.labels, strict=True)


def assert_refused(action: Callable[[], object], path: Path, *words: str) -> None:
    """A DataError, in one line that begins with the file and ends with what to do."""
    with pytest.raises(DataError) as caught:
        action()
    message = str(caught.value)
    assert message.isprintable()
    assert message.startswith(f"{path}: ")
    assert "; " in message
    for word in words:
        assert word in message


def csv(digits: Digits = DIGITS, *, label: int = 0, header: str | None = "label") -> list[str]:
    """The lines of a CSV file, the label's column called ``header``."""
    flat = digits.images.reshape(len(digits), 784).tolist()
    lines: list[list[Any]] = [[f"pixel{number}" for number in range(784)], *flat]
    for line, value in zip(lines, [header, *digits.labels.tolist()], strict=True):
        line.insert(label, value)
    return [",".join(map(str, line)) for line in (lines if header else lines[1:])]


def quoted_header(lines: list[str]) -> list[str]:
    return [",".join(f'"{name}"' for name in lines[0].split(",")), *lines[1:]]


LINES = csv()
PLAIN = "\n".join(LINES).encode()


@given(st.integers(1, 40), st.integers(0, 2**32 - 1))
@PROPERTY
def test_what_is_written_is_read(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, 28, 28), np.uint8)
    digits = Digits(images, rng.integers(0, 10, count, np.uint8))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        write_csv(path, digits)
        assert_same(read_csv(path), digits)


def test_what_is_written_is_what_kaggle_hands_out(tmp_path: Path) -> None:
    write_csv(tmp_path / "deep" / "rows.csv", DIGITS)
    assert (tmp_path / "deep" / "rows.csv").read_text() == "\n".join(LINES) + "\n"


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("before")
    with pytest.raises(ValueError, match="shorter"):
        write_csv(path, Digits(DIGITS.images[:5], DIGITS.labels))
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]
    assert_refused(lambda: write_csv(path / "rows.csv", DIGITS), path / "rows.csv", "written")


@table(
    "text, label",
    {
        "without a header": ("\n".join(csv(header=None)), None),
        "a header without the name": ("\n".join(csv(header="class")), None),
        "a header of numbers": ("\n".join([",".join(map(str, range(785))), *LINES[1:]]), None),
        "a header in quotes": ("\n".join(quoted_header(csv(label=300))), None),
        "the name in the middle": ("\n".join(csv(label=300)), None),
        "another name": ("\n".join(csv(label=300, header="class")), "class"),
        "a number": ("\n".join(csv(label=784, header=None)), 784),
        "a number under a header": ("\n".join(csv(label=784, header="class")), 784),
        "CRLF": ("\r\n".join([*LINES, ""]), None),
        "blank lines": ("\n".join([*LINES, "", " ", "\r\n"]), None),
        "spaces": ("\n".join(LINES).replace(",", ", "), None),
        "a byte-order mark": ("\ufeff" + "\n".join(csv(label=9)), None),
        "a byte-order mark, no header": ("\ufeff" + "\n".join(csv(header=None)), None),
    },
)
@BLOCKS
def test_csv_is_read_however_it_was_saved(
    text: str, label: str | int | None, block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "CSV_BLOCK", block)
    data = text.encode()
    (tmp_path / "plain.csv").write_bytes(data)
    (tmp_path / "packed.csv.gz").write_bytes(gzip.compress(data, 1))
    for path in tmp_path.iterdir():
        assert_same(read_csv(path, label), DIGITS)


def changed(line: int, column: int, value: str) -> bytes:
    """The file with another value on one line, counted from 1, in one column, from 1."""
    fields = [text.split(",") for text in LINES]
    fields[line - 1][column - 1] = value
    return "\n".join(map(",".join, fields)).encode()


@table(
    "data, words",
    {
        "empty": (b"", ["is empty"]),
        "a header only": (LINES[0].encode(), ["no rows"]),
        "blank lines only": (b"\n\n", ["no rows"]),
        "a label of 10": (changed(4, 1, "10"), ["line 4, column 1 is '10'", "0-9"]),
        "a pixel of 256": (changed(2, 785, "256"), ["line 2, column 785 is '256'", "0-255"]),
        "a pixel of 100000": (changed(21, 2, "100000"), ["line 21, column 2 is '100000'"]),
        "a pixel of a long number": (changed(3, 2, "9" * 5000), ["line 3, column 2 is '9999"]),
        "a pixel of -1": (changed(3, 3, "-1"), ["line 3, column 3 is '-1'"]),
        "a pixel of +5": (changed(3, 3, "+5"), ["line 3, column 3 is '+5'"]),
        "a pixel of 0.5": (changed(3, 3, "0.5"), ["line 3, column 3 is '0.5'"]),
        "a pixel of text": (changed(3, 3, "ink"), ["line 3, column 3 is 'ink'"]),
        "no pixel": (changed(3, 3, ""), ["line 3, column 3 is ''"]),
        "two pixels in one": (changed(3, 3, "1 2"), ["line 3, column 3 is '1 2'"]),
        "another alphabet's digit": (changed(3, 3, "\u0663"), ["line 3, column 3"]),
        "a control character": (changed(3, 3, "5\x0b"), ["line 3, column 3 is '5\\x0b'"]),
        "a return in a row": (changed(3, 3, "\r5"), ["line 3, column 3 is '\\r5'"]),
        "a no-break space": (changed(3, 3, "5\xa0"), ["line 3, column 3 is '5\\xa0'"]),
        "a pixel after CRLF": (
            changed(3, 3, "x").replace(b"\n", b"\r\n"),
            ["line 3, column 3 is 'x'"],
        ),
        "quotes": (changed(3, 3, '"5"'), ["line 3, column 3 is '\"5\"'"]),
        "a short row": (PLAIN[: PLAIN.rindex(b",")], ["line 21 has 784 columns, not 785"]),
        "a long row": (PLAIN + b",0", ["line 21 has 786 columns, not 785"]),
        "after blank lines": (b"\n\n" + PLAIN + b",0", ["line 3, column 1 is 'label'"]),
        "no labels": (
            "\n".join(line[2:] for line in csv(header=None)).encode(),
            ["line 1 has 784"],
        ),
        "one long line": (b"0," * 10_000, ["line 1 has"]),
        "Latin-1": (changed(3, 3, "\xe9").decode().encode("latin-1"), ["line 3 is not UTF-8"]),
        "UTF-16": (PLAIN.decode().encode("utf-16"), ["line 1 is not UTF-8"]),
        "an image": (b"\x89PNG\r\n\x1a\n\0\0", ["line 1 is not UTF-8"]),
    },
)
@BLOCKS
def test_a_wrong_line_is_named(
    data: bytes, words: list[str], block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "CSV_BLOCK", block)
    path = tmp_path / "rows.csv"
    path.write_bytes(data)
    assert_refused(lambda: read_csv(path), path, *words)


@table(
    "header, label, words",
    {
        "another name": ("label", "class", ["'label' to 'pixel783'", "'class'"]),
        "a name without a header": (None, "label", ["no header", "0 to 784"]),
        "a number too high": ("label", 785, ["785", "0 to 784"]),
        "a number too low": (None, -1, ["-1", "0 to 784"]),
    },
)
def test_a_label_column_that_is_not_there_is_named(
    header: str | None, label: str | int, words: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(csv(header=header)))
    assert_refused(lambda: read_csv(path, label), path, *words)


@table(
    "damage",
    {
        "cut off": lambda data: data[:-9],
        "cut short": lambda data: data[:5],
        "garbled": lambda data: data[:10] + bytes([255] * 100),
        "not packed": lambda _: PLAIN,
    },
)
def test_a_damaged_packed_csv_is_named(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = tmp_path / "rows.csv.gz"
    path.write_bytes(damage(gzip.compress(PLAIN)))
    assert_refused(lambda: read_csv(path), path, "damaged")


def test_a_csv_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert_refused(lambda: read_csv(tmp_path / "none.csv"), tmp_path / "none.csv", "No such file")
