"""The description as a document: OpenAPI 3.1, and examples that are what they are examples of."""

from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from tests.described import Description

DESCRIBED = Description()


def examples() -> Iterator[Any]:
    """Every example, with the schema of its media type."""
    for operation in DESCRIBED.operations():
        name = operation.described["operationId"]
        bodies = {"request": operation.described.get("requestBody", {})}
        bodies |= {str(status): answer for status, answer in DESCRIBED.responses(operation).items()}
        for place, body in bodies.items():
            for content in body.get("content", {}).values():
                for each, example in content.get("examples", {}).items():
                    value = DESCRIBED.resolved(example)["value"]
                    yield pytest.param(content["schema"], value, id=f"{name}, {place}, {each}")


def validator(schema: dict[str, Any]) -> jsonschema_rs.Validator:
    """Of a schema that refers to the components of the description."""
    whole = {"components": DESCRIBED.components, "allOf": [schema]}
    return jsonschema_rs.Draft202012Validator(whole)


def test_it_is_openapi() -> None:
    assert [str(error) for error in OPENAPI_31_VALIDATOR.iter_errors(DESCRIBED.document)] == []


@pytest.mark.parametrize("name", DESCRIBED.components["schemas"])
def test_every_schema_is_one(name: str) -> None:
    jsonschema_rs.meta.validate(
        {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            **DESCRIBED.components["schemas"][name],
        }
    )


@pytest.mark.parametrize(("schema", "value"), list(examples()))
def test_an_example_is_of_its_schema(schema: dict[str, Any], value: object) -> None:
    assert [error.message for error in validator(schema).iter_errors(value)] == []


def test_a_value_of_another_schema_is_none() -> None:
    """So the test above can fail."""
    assert not validator({"$ref": "#/components/schemas/Images"}).is_valid({"pixels": [0]})
