"""The description, read as a test reads it: by name, and across its references."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from service.description import document
from service.settings import Settings

METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Operation:
    """One method of one path, as it is described."""

    path: str
    method: str
    described: dict[str, Any]

    @property
    def in_protocol(self) -> bool:
        return self.path.startswith(("/v1", "/v2"))

    def filled(self, **names: str) -> str:
        """The address, with these values for its parameters."""
        return self.path.format_map(names)


class Description:
    """The description that a server with these settings gives of itself."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.document = document(settings or Settings())
        self.components: dict[str, dict[str, Any]] = self.document["components"]

    def operations(self) -> Iterator[Operation]:
        for path, item in self.document["paths"].items():
            for method in METHODS:
                if method in item:
                    yield Operation(path, method, item[method])

    def operation(self, name: str) -> Operation:
        """The operation of that id."""
        [found] = [each for each in self.operations() if each.described["operationId"] == name]
        return found

    def resolved(self, value: dict[str, Any]) -> dict[str, Any]:
        """What a reference refers to; anything else is itself."""
        while "$ref" in value:
            _, kind, name = value["$ref"].rsplit("/", 2)
            value = self.components[kind][name]
        return value

    def parameters(self, operation: Operation, place: str) -> dict[str, dict[str, Any]]:
        """The parameters of an operation that stand in the query, the path or the headers."""
        listed = self.document["paths"][operation.path]["parameters"]
        listed = [*listed, *operation.described.get("parameters", [])]
        known = [self.resolved(parameter) for parameter in listed]
        return {each["name"]: each for each in known if each["in"] == place}

    def responses(self, operation: Operation) -> dict[int, dict[str, Any]]:
        """The answers of an operation, by their status."""
        described = operation.described["responses"]
        return {int(status): self.resolved(answer) for status, answer in described.items()}


def references(value: object) -> Iterator[str]:
    """Everything that is referred to within a value."""
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for within in value.values():
            yield from references(within)
    elif isinstance(value, list):
        for within in value:
            yield from references(within)


def template(rule: str) -> str:
    """A route of Flask as a path of OpenAPI."""
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule)
