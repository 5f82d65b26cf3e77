"""What a query says: values of parameters, each one of a few words or a small number."""

from collections.abc import Collection, Mapping, Sequence
from typing import TypeVar

from werkzeug.datastructures import MultiDict

from service.errors import OutOfRange, RepeatedParameter, UnknownChoice, UnknownParameter

Word = TypeVar("Word", bound=str)


def check_names(args: MultiDict[str, str], known: Collection[str]) -> None:
    """Raise UnknownParameter or RepeatedParameter unless each of ``args`` is ``known``, once."""
    for name, values in args.lists():
        if name not in known:
            raise UnknownParameter(
                "query", f"the query has a parameter that is none of {', '.join(known)}; remove it"
            )
        if len(values) > 1:
            raise RepeatedParameter(name, f"{name} is said {len(values)} times; say it once")


def choice(args: Mapping[str, str], name: str, choices: Sequence[Word]) -> Word:
    """The value of the parameter ``name``, which is one of ``choices``.

    args: the parameters of the query by name. The first choice is what it is where
    nothing is said. Raises UnknownChoice, which names the parameter.
    """
    if name not in args:
        return choices[0]
    for known in choices:
        if args[name] == known:
            return known
    raise UnknownChoice(name, f"{name} is none of its choices; send one of {', '.join(choices)}")


def count(args: Mapping[str, str], name: str, high: int) -> int:
    """The parameter ``name``, a whole number from 1 to ``high``; 0 where nothing is said.

    Raises OutOfRange.
    """
    if name not in args:
        return 0
    text = args[name].lstrip("0")
    is_number = text.isascii() and text.isdecimal() and len(text) <= len(str(high))
    if not is_number or int(text) > high:
        raise OutOfRange(name, f"{name} is not in its range; send a whole number from 1 to {high}")
    return int(text)
