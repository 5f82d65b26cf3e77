"""Any JSON value as lines for a terminal: at most 80 columns of printable characters.

It knows no field by name but ``accuracy`` and ``interval_95``, the figures of a
proportion, which belong together: 99.70 % (99.57 to 99.79).
"""

import json
import textwrap
from collections.abc import Iterator
from typing import Any

COLUMNS = 80
INDENT = 2
MAX_LEVELS = 12  # what is deeper is shown as JSON: nobody follows that many margins


def lines(value: object, level: int = 0) -> Iterator[str]:
    """The lines of a JSON value: an object's fields by name, a list's items by dashes."""
    shown = _readable(value)
    if isinstance(shown, dict) and shown and level < MAX_LEVELS:
        for name, item in shown.items():
            yield from _entry(f"{_words(name)}:", item, level)
    elif isinstance(shown, list) and not _is_flat(shown) and level < MAX_LEVELS:
        for item in shown:
            yield from _entry("-", item, level)
    else:
        yield from _wrapped(_on_one_line(shown), level)


def _entry(label: str, value: object, level: int) -> Iterator[str]:
    """A label and its value, beside it or below: an object stands beside it if there is room."""
    shown = _readable(value)
    beside = _wrapped(f"{label} {_on_one_line(shown)}", level) if _is_flat(shown) else []
    if len(beside) == 1 or (beside and not isinstance(shown, dict)):
        yield from beside
    else:
        yield from _wrapped(label, level)
        yield from lines(shown, level + 1)


def _wrapped(line: str, level: int) -> list[str]:
    margin = " " * INDENT * level
    return textwrap.wrap(
        line,
        COLUMNS,
        initial_indent=margin,
        subsequent_indent=margin + " " * INDENT,
        break_on_hyphens=False,  # they are in the names of files
    )


def _readable(value: object) -> object:
    """An object with its shares in per cent, one that is all a proportion as text."""
    if not isinstance(value, dict):
        return value
    shown: dict[str, Any] = {}
    rest = dict(value)
    is_proportion = _is_share(value.get("accuracy")) and _is_interval(value.get("interval_95"))
    if is_proportion:
        share, (low, high) = rest.pop("accuracy"), rest.pop("interval_95")
        shown["accuracy"] = f"{_percent(share)} % ({_percent(low)} to {_percent(high)})"
        if all(type(value.get(name)) is int for name in ("correct", "images")):
            shown["accuracy"] += f", {rest.pop('correct')} of {rest.pop('images')} images"
        if not rest:
            return shown["accuracy"]
    for name, item in rest.items():
        if is_proportion and name.startswith("interval_95") and _is_interval(item):
            shown[name] = f"{_percent(item[0])} to {_percent(item[1])} %"
        elif name.endswith("accuracy") and _is_share(item):
            shown[name] = f"{_percent(item)} %"
        elif name.endswith("accuracy") and item and _is_list_of_shares(item):
            shown[name] = f"{', '.join(map(_percent, item))} %"
        else:
            shown[name] = item
    return shown


def _on_one_line(value: object) -> str:
    """A value on one line, however long."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if not _is_flat(value):
        return printable(json.dumps(value))
    if isinstance(value, list):
        return ", ".join(map(_on_one_line, value)) or "none"
    if isinstance(value, dict):
        fields = (f"{_words(name)} = {_on_one_line(item)}" for name, item in value.items())
        return ", ".join(fields) or "none"
    return printable(str(value))


def _words(name: str) -> str:
    return printable(name.replace("interval_95", "95 % interval").replace("_", " "))


def printable(words: str) -> str:
    """Nothing that stands in a file may steer a terminal."""
    return "".join(character if character.isprintable() else " " for character in words)


def _percent(share: float) -> str:
    return f"{100 * share:.2f}"


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and 0 <= value <= 1


def _is_list_of_shares(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_share, value))


def _is_interval(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and _is_list_of_shares(value)  # noqa: PLR2004 - low and high


def _is_flat(value: object) -> bool:
    """Whether it is a scalar, a list of numbers, or an object of nothing else."""
    if isinstance(value, dict):
        return not any(isinstance(item, dict) or not _is_flat(item) for item in value.values())
    if isinstance(value, list):
        return all(isinstance(item, int | float) for item in value)
    return True
