"""What a query says: values of parameters, each one of a few words."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from service.errors import UnknownChoice

Word = TypeVar("Word", bound=str)


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
