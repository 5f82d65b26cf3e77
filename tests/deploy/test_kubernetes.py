"""Manifests as a cluster of Kubernetes 1.36 takes them, field by field."""

import copy
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy import prometheus_rule, schema
from tests.deploy.expressions import GRAFANA
from tests.deploy.manifests import (
    APPLIED,
    KUBERNETES,
    NEEDS,
    OLDEST,
    OVERLAYS,
    VERSION,
    Object,
    applied,
    called,
    checkov,
    composed,
    text,
    tool,
)
from tests.helpers import ROOT, table

CORE = {
    "ConfigMap",
    "CronJob",
    "Deployment",
    "HorizontalPodAutoscaler",
    "Ingress",
    "Job",
    "Namespace",
    "NetworkPolicy",
    "PersistentVolumeClaim",
    "PodDisruptionBudget",
    "Service",
    "ServiceAccount",
}
BARE = {"Deployment", "NetworkPolicy", "PodDisruptionBudget", "Service", "ServiceAccount"}
FULL = BARE | {"CronJob", "HorizontalPodAutoscaler", "Ingress", "PersistentVolumeClaim"}
OF_KSERVE = {"InferenceService", "ServingRuntime"}  # held against its own in tests/e2e/clients

CHECKOV = KUBERNETES / "checkov.yaml"
LET_PASS = ("--config-file", str(CHECKOV))


def validated(
    rendered: str, folder: Path, version: str = VERSION
) -> subprocess.CompletedProcess[str]:
    """What ``kubernetes-validate`` says of the core kinds of manifests."""
    core = [one for one in yaml.safe_load_all(rendered) if one["kind"] in CORE]
    (folder / "core.yaml").write_text(yaml.safe_dump_all(core), "utf-8")
    command = [tool("kubernetes-validate"), "--strict", "-k", version, str(folder / "core.yaml")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", APPLIED)
def test_it_is_strictly_valid(name: str, tmp_path: Path) -> None:
    run = validated(text(name), tmp_path)
    assert run.returncode == 0, run.stdout
    core = [one for one in applied(name) if one["kind"] in CORE]
    assert run.stdout.count(f"against version {VERSION}") == len(core) > 0


@pytest.mark.parametrize("name", ["operators", "kserve"])  # which hold all there is
def test_it_is_valid_for_the_oldest_version_too(name: str, tmp_path: Path) -> None:
    assert validated(text(name), tmp_path, OLDEST).returncode == 0
    assert f"for Kubernetes {OLDEST} and later" in (KUBERNETES / "README.md").read_text("utf-8")


@pytest.mark.parametrize("component", NEEDS)
def test_a_component_is_strictly_valid(component: str, tmp_path: Path) -> None:
    run = validated(composed(tmp_path, [*NEEDS[component], component]), tmp_path)
    assert run.returncode == 0, run.stderr


def test_the_namespace_is_strictly_valid(tmp_path: Path) -> None:
    run = validated((KUBERNETES / "namespace.yaml").read_text("utf-8"), tmp_path)
    assert run.returncode == 0, run.stderr


@table(
    "old, new",
    {
        "a field that there is not": ("minReadySeconds:", "minimumReadySeconds:"),
        "a value of another type": ("containerPort: 8000", "containerPort: http"),
    },
)
def test_what_is_not_valid_is_seen(old: str, new: str, tmp_path: Path) -> None:
    rendered = text("base")
    assert old in rendered
    assert validated(rendered.replace(old, new), tmp_path).returncode != 0


@table(
    "name, kinds",
    {
        "base": ("base", BARE),
        "small": ("small", BARE),
        "production": ("production", FULL),
        "operators": ("operators", {*FULL, *schema.OF_OPERATORS, "ConfigMap"}),
        "kserve": ("kserve", {*OF_KSERVE, "Job", "NetworkPolicy", "PersistentVolumeClaim"}),
    },
)
def test_it_asks_for_no_other_kinds(name: str, kinds: set[str]) -> None:
    assert {one["kind"] for one in applied(name)} == kinds


def test_every_kind_is_held_against_something() -> None:
    kinds = {one["kind"] for name in APPLIED for one in applied(name)}
    assert kinds - {"Namespace"} <= CORE | schema.OF_OPERATORS.keys() | OF_KSERVE


def test_every_overlay_is_applied_here() -> None:
    assert sorted(OVERLAYS) == sorted(path.name for path in (KUBERNETES / "overlays").iterdir())


# What comes of other files.


def test_the_rule_for_the_operator_is_that_of_prometheus() -> None:
    assert prometheus_rule.FILE.read_text("utf-8") == prometheus_rule.text()


def test_the_dashboard_is_that_of_grafana() -> None:
    [dashboard] = called("ConfigMap", applied("operators")).values()
    assert dashboard["data"] == {"digits.json": (GRAFANA / "digits.json").read_text("utf-8")}
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"


def test_the_job_has_the_name_that_rules_know() -> None:
    found = applied("operators")
    [monitor] = called("ServiceMonitor", found).values()
    assert "jobLabel" not in monitor["spec"]  # so it is the name of the Service
    assert list(called("Service", found)) == ["digits"]
    assert 'up{job="digits"}' in (ROOT / "deploy/prometheus/rules.yml").read_text("utf-8")


# The kinds of operators.


def of_operator(kind: str) -> Object:
    [found] = called(kind, applied("operators")).values()
    return found


@pytest.mark.parametrize("kind", schema.OF_OPERATORS)
def test_it_has_the_form_of_its_kind(kind: str) -> None:
    assert schema.faults_of(of_operator(kind)) == []


@table(
    "kind, path, name",
    {
        "HTTPRoute": ("HTTPRoute", ["spec", "rules", 0, "matches", 0, "path"], "typ"),
        "PrometheusRule": ("PrometheusRule", ["spec", "groups", 0, "rules", 0], "alerts"),
        "ServiceMonitor": ("ServiceMonitor", ["spec", "endpoints", 0], "scrapeInterval"),
        "a selector": ("ServiceMonitor", ["spec", "selector"], "matchLabel"),
    },
)
def test_another_form_is_seen(kind: str, path: list[str | int], name: str) -> None:
    found = copy.deepcopy(of_operator(kind))
    place: Any = found
    for step in path:
        place = place[step]
    place[name] = "x"
    assert any(f"'{name}'" in fault or f'"{name}"' in fault for fault in schema.faults_of(found))


# Judged by others.


def judged(rendered: str, folder: Path, *options: str) -> list[str]:
    """What checkov finds in manifests."""
    file = folder / "manifests.yaml"
    file.write_text(rendered, "utf-8")
    return checkov(file, "kubernetes", *options)


@pytest.mark.parametrize("name", ["small", "operators", "kserve"])  # which hold all there is
def test_checkov_finds_nothing(name: str, tmp_path: Path) -> None:
    assert judged(text(name), tmp_path, *LET_PASS) == []


def test_checkov_finds_what_is_wrong(tmp_path: Path) -> None:
    rendered = text("small").replace(
        "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false"
    )
    assert judged(rendered, tmp_path, *LET_PASS) == ["CKV_K8S_22 Deployment.default.digits"]


def test_what_checkov_lets_pass_has_a_reason_and_is_needed(tmp_path: Path) -> None:
    reasons = dict(re.findall(r"^  - (\w+) # (.+)$", CHECKOV.read_text("utf-8"), re.MULTILINE))
    assert [*reasons] == yaml.safe_load(CHECKOV.read_text("utf-8"))["skip-check"]
    assert {found.split()[0] for found in judged(text("operators"), tmp_path)} == {*reasons}
