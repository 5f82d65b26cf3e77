"""The file that tells who changed a store: it grows by whole lines and survives what is not one."""

import json
import os
import re
import socket
from pathlib import Path

import pytest

from model import errors, history
from tests.helpers import run_python, table

LINE = history.line("promote", "champion", 1, 2, None)


def entry(text: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(text)
    return found


def test_a_line_has_all_its_fields_in_order() -> None:
    line = history.line("promote", "champion", None, 2, "better")
    assert line.endswith("}\n")
    assert list(entry(line)) == ["time", "who", "command", "alias", "from", "to", "why"]
    time = entry(line).pop("time")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", str(time))
    assert list(entry(line).values())[2:] == ["promote", "champion", None, 2, "better"]
    assert str(entry(line)["who"]).endswith(f"@{socket.gethostname()}")


@pytest.mark.parametrize("why", ["two\nlines", "\u2028", "caf\u00e9", "\udcff", "\0", '"', ""])
def test_whatever_is_given_for_a_reason_stays_on_one_line(why: str, tmp_path: Path) -> None:
    history.append(tmp_path, history.line("promote", "champion", 1, 2, why) + LINE)
    assert [found["why"] for found in history.read(tmp_path).entries] == [why, None]


NAMELESS = """
import os
from model import history
if os.geteuid() == 0:
    os.setuid(54321)
print(history.line("promote", "champion", 1, 2, None))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody without a name")
def test_who_has_no_name_is_known_by_number() -> None:
    run = run_python(NAMELESS)
    assert str(entry(run.stdout)["who"]).startswith("54321@")


def test_a_store_without_history_has_nothing_to_tell(tmp_path: Path) -> None:
    assert history.read(tmp_path) == history.History([], 0)


@table(
    "content, entries, broken",
    {
        "nothing": ("", 0, 0),
        "one line": (LINE, 1, 0),
        "the last was cut off": (LINE + LINE[:40], 1, 1),
        "the last lacks only its end": (LINE + LINE[:-1], 2, 0),
        "one in the middle was cut off": (LINE + LINE[:40] + "\n" + LINE, 2, 1),
        "a power cut left zeros": (LINE + "\0" * 100 + "\n" + LINE, 2, 1),
        "another kind of JSON": (LINE + "[]\n7\n{}\n", 1, 3),
        "more fields": (LINE.replace("{", '{"ticket": 7, ', 1), 1, 0),
        "a field less": (LINE.replace('"who"', '"whose"'), 0, 1),
        "not UTF-8": (LINE + "\udcff\n", 1, 1),
        "5000 digits": (LINE + "9" * 5000 + "\n", 1, 1),
        "lists without end": ("[" * 100_000 + "\n" + LINE, 1, 1),
    },
)
def test_a_broken_line_hides_no_other(
    content: str, entries: int, broken: int, tmp_path: Path
) -> None:
    (tmp_path / "history.jsonl").write_bytes(content.encode("utf-8", "surrogateescape"))
    told = history.read(tmp_path)
    assert (len(told.entries), told.broken) == (entries, broken)
    history.append(tmp_path, history.line("rollback", "champion", 2, 1, None))
    told = history.read(tmp_path)
    assert (len(told.entries), told.broken) == (entries + 1, broken)


def test_what_is_told_already_is_not_told_twice(tmp_path: Path) -> None:
    other = history.line("rollback", "champion", 2, 1, None)
    for lines in (LINE, LINE, other, other):
        history.append(tmp_path, lines)
    assert (tmp_path / "history.jsonl").read_text() == LINE + other


def test_lines_are_added_in_one_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    write = os.write

    def noted(file: int, data: bytes) -> int:
        written.append(data)
        return write(file, data)

    monkeypatch.setattr(os, "write", noted)
    (tmp_path / "history.jsonl").write_text("cut o")
    history.append(tmp_path, LINE + LINE)
    assert written == [b"\n" + (LINE + LINE).encode()]


def make_link(path: Path) -> None:
    path.with_name("elsewhere").touch()
    path.symlink_to("elsewhere")


@table("make", {"a link": make_link, "a directory": Path.mkdir, "a pipe": os.mkfifo})
def test_what_is_no_plain_file_is_not_written_to(make: object, tmp_path: Path) -> None:
    assert callable(make)
    make(tmp_path / "history.jsonl")
    with pytest.raises((OSError, errors.StoreUnusable)):
        history.append(tmp_path, LINE)
    assert all(path.stat().st_size == 0 for path in tmp_path.glob("elsewhere"))
