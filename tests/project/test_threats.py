"""Every line of the threat model names a test, and that test is there."""

import ast
import re

import pytest

from tests.helpers import ROOT

TEXT = (ROOT / ".github/SECURITY.md").read_text("utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in TEXT.splitlines()
    if line.startswith("| ") and not line.startswith(("| threat", "| **"))
]

STRIDE = [
    *("Spoofing", "Tampering", "Repudiation"),
    *("Information disclosure", "Denial of service", "Elevation of privilege"),
]


def test_every_kind_of_threat_is_thought_of() -> None:
    assert re.findall(r"^\| \*\*([\w ]+)\*\* \|", TEXT, re.MULTILINE) == STRIDE
    assert len(ROWS) > 6 * len(STRIDE)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:40])
def test_every_line_names_a_test_that_is_there(row: list[str]) -> None:
    _, against, named = row
    assert against
    match = re.fullmatch(r"`(tests/[\w/]+\.py)::(test_\w+)` ?\|?", named)
    assert match, named
    tree = ast.parse((ROOT / match[1]).read_text("utf-8"))
    tests = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert match[2] in tests
