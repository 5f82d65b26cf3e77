"""Manifests for KServe, field by field against the models of its own Python package.

They are generated from its CRDs: each names its fields, and the types of those.
"""

import copy
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from kserve import models as kserve_models
from kubernetes.client import models as core_models

from tests.helpers import ROOT, table

FOLDER = ROOT / "deploy/kserve"
KINDS = {
    "InferenceService": ("inferenceservice.yaml", "V1beta1InferenceService"),
    "ServingRuntime": ("servingruntime.yaml", "V1alpha1ServingRuntime"),
}
PRIMITIVE = {"str": str, "int": int, "bool": bool, "object": object, "ResourceQuantity": str}


def manifest(kind: str) -> Any:  # noqa: ANN401 - a document
    return yaml.safe_load((FOLDER / KINDS[kind][0]).read_text("utf-8"))


def model(name: str) -> Any:  # noqa: ANN401 - generated, without types
    """A model by its name, also where it is called after a package of Go."""
    for candidate in (name, re.sub(r"^K8sIoApi[A-Z][a-z]+(?=V1)", "", name)):
        for models in (kserve_models, core_models):
            if hasattr(models, candidate):
                return getattr(models, candidate)
    raise AssertionError(f"there is no model {name}")


def faults(value: object, type_name: str, path: str) -> Iterator[str]:
    """Where a value is not of a model: a field that it has not, one that it needs, a type."""
    within = re.fullmatch(r"([Ll]ist|[Dd]ict)(?:\[|\()(?:str, )?(.+)[\])]", type_name)
    if within and within[1].lower() == "list" and isinstance(value, list):
        for number, item in enumerate(value):
            yield from faults(item, within[2], f"{path}.{number}")
    elif within and within[1].lower() == "dict" and isinstance(value, dict):
        for name, item in value.items():
            yield from faults(item, within[2], f"{path}.{name}")
    elif type_name in PRIMITIVE:
        if not isinstance(value, PRIMITIVE[type_name]):
            yield f"{path}: is no {type_name}"
    elif within or not isinstance(value, dict):
        yield f"{path}: is no {type_name}"
    else:
        yield from _faults_of_fields(value, model(type_name), path)


def _faults_of_fields(value: dict[str, Any], known: Any, path: str) -> Iterator[str]:  # noqa: ANN401 - a model
    fields = {name: known.openapi_types[field] for field, name in known.attribute_map.items()}
    for name, item in value.items():
        if name not in fields:
            yield f"{path}.{name}: is no field of {known.__name__}"
        else:
            yield from faults(item, fields[name], f"{path}.{name}")
    given = {field: value[name] for field, name in known.attribute_map.items() if name in value}
    try:
        known(**given)
    except ValueError as error:  # it may not be None
        yield f"{path}: {error}"


@pytest.mark.parametrize("kind", KINDS)
def test_it_has_the_form_of_its_kind(kind: str) -> None:
    assert list(faults(manifest(kind), KINDS[kind][1], kind)) == []


@table(
    "kind, path, value, told",
    {
        "a field": ("InferenceService", "spec.predictor.minReplica", 2, "no field"),
        "a field within": ("InferenceService", "spec.predictor.model.modelFormats", {}, "no field"),
        "a number": ("InferenceService", "spec.predictor.minReplicas", "two", "no int"),
        "a list": ("ServingRuntime", "spec.protocolVersions", "v2", "no list"),
        "a pod's field": ("ServingRuntime", "spec.securityContext", {}, "no field"),
        "what KServe needs": ("InferenceService", "spec", {}, "must not be `None`"),
        "what a container needs": ("ServingRuntime", "spec.containers", [{}], "required"),
    },
)
def test_another_form_is_seen(kind: str, path: str, value: object, told: str) -> None:
    found = copy.deepcopy(manifest(kind))
    *steps, last = path.split(".")
    place = found
    for step in steps:
        place = place[step]
    place[last] = value
    assert any(told in fault for fault in faults(found, KINDS[kind][1], kind))
