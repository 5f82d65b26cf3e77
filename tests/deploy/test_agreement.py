"""Manifests agree with the service and with each other; every check is seen to find its fault."""

import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.deploy import agreement
from tests.deploy.manifests import (
    APPLIED,
    KSERVE,
    KUBERNETES,
    NEEDS,
    OVERLAYS,
    Object,
    applied,
    called,
    composed,
    objects,
)
from tests.helpers import ROOT
from training import succession

POD = "spec.template.spec"
MAIN = f"{POD}.containers.0"
JOB = "spec.jobTemplate.spec.template.spec"
GONE = object()
ON, OFF = True, False


class Mutation(NamedTuple):
    """A value of a manifest put wrong, and words of the fault that is to be told."""

    kind: str
    path: str
    value: object
    told: str
    name: str = "digits"
    applied: str = "operators"


def mutated(mutation: Mutation) -> list[Object]:
    """The objects of an overlay, one of them changed. A number in the path is of a list's item."""
    found = applied(mutation.applied)
    place: Any = called(mutation.kind, found)[mutation.name]
    *steps, last = [int(step) if step.isdecimal() else step for step in mutation.path.split(".")]
    for step in steps:
        place = place[step]
    if mutation.value is GONE:
        del place[last]
    else:
        place[last] = mutation.value
    return found


CRON, RETRAIN = "CronJob", "digits-retraining"

MUTATIONS = {
    "settings: a misspelt one": Mutation(
        "Deployment", f"{MAIN}.env.0.name", "DIGITS_API_KEY_FILE", "is not a setting"
    ),
    "settings: an impossible value": Mutation(
        "Deployment", f"{MAIN}.env.0", {"name": "DIGITS_PORT", "value": "tcp://10.0.0.1"}, "integer"
    ),
    "settings: none of ours": Mutation("Deployment", f"{MAIN}.env.0.name", "API_KEYS", "API_KEYS"),
    "settings: a key that no Secret has": Mutation(
        "Deployment", f"{MAIN}.env.2.valueFrom.secretKeyRef.key", "uri", "uri"
    ),
    "settings: another's in the job": Mutation(
        CRON, f"{JOB}.initContainers.1.env.0.name", "DATABASE_URL", "DATABASE_URL", RETRAIN
    ),
    "ports: the container's": Mutation(
        "Deployment", f"{MAIN}.ports.0.containerPort", 8080, "port 8000"
    ),
    "ports: by a setting": Mutation(
        "Deployment", f"{MAIN}.env.4", {"name": "DIGITS_PORT", "value": "9000"}, "port 9000"
    ),
    "ports: a probe's": Mutation(
        "Deployment", f"{MAIN}.livenessProbe.httpGet.port", 80, "asks port 80"
    ),
    "port_names: the Service's": Mutation("Service", "spec.ports.0.targetPort", "web", "port web"),
    "port_names: the policy's": Mutation(
        "NetworkPolicy", "spec.ingress.0.ports.0.port", "web", "port web"
    ),
    "probes: no such route": Mutation(
        "Deployment", f"{MAIN}.livenessProbe.httpGet.path", "/alive", "/alive"
    ),
    "probes: ready is not alive": Mutation(
        "Deployment", f"{MAIN}.livenessProbe.httpGet.path", "/readyz", "/readyz"
    ),
    "probes: without one": Mutation("Deployment", f"{MAIN}.startupProbe", GONE, "has ["),
    "paths: of the Ingress": Mutation(
        "Ingress", "spec.rules.0.http.paths.1.path", "/predicts", "/predicts"
    ),
    "paths: of the HTTPRoute": Mutation(
        "HTTPRoute", "spec.rules.1.matches.0.path.value", "/document", "/document"
    ),
    "paths: of the ServiceMonitor": Mutation(
        "ServiceMonitor", "spec.endpoints.0.path", "/metric", "/metric"
    ),
    "paths: of KServe's metrics": Mutation(
        "ServingRuntime",
        "spec.annotations",
        {"prometheus.kserve.io/path": "/stats", "prometheus.kserve.io/port": "8000"},
        "path of metrics",
        applied="kserve",
    ),
    "paths: of KServe's metrics, the port": Mutation(
        "ServingRuntime",
        "spec.annotations",
        {"prometheus.kserve.io/path": "/metrics", "prometheus.kserve.io/port": "8080"},
        "port of metrics",
        applied="kserve",
    ),
    "references: a claim": Mutation(
        "PersistentVolumeClaim", "metadata.name", "store", "digits-store", "digits-store"
    ),
    "references: a service account": Mutation(
        "Deployment", f"{POD}.serviceAccountName", "default", "ServiceAccount default"
    ),
    "references: a Secret": Mutation(
        "Deployment", f"{POD}.volumes.0.secret.secretName", "keys", "keys"
    ),
    "references: a Secret's file": Mutation(
        "Deployment", f"{POD}.volumes.0.secret.items.0.key", "keys", "no keys"
    ),
    "references: what is scaled": Mutation(
        "HorizontalPodAutoscaler", "spec.scaleTargetRef.name", "digit", "Deployment digit"
    ),
    "references: a certificate": Mutation("Ingress", "spec.tls.0.secretName", "tls", "Secret tls"),
    "backends: of the Ingress": Mutation(
        "Ingress", "spec.rules.0.http.paths.0.backend.service.name", "digit", "digit with"
    ),
    "backends: of the HTTPRoute": Mutation(
        "HTTPRoute", "spec.rules.0.backendRefs.0.port", 8000, "port 8000"
    ),
    "selectors: the Service's": Mutation(
        "Service", "spec.selector", {"app.kubernetes.io/name": "digits"}, "CronJob"
    ),
    "selectors: the Deployment's": Mutation(
        "Deployment", "spec.selector.matchLabels", {"app": "digits"}, "selects []"
    ),
    "selectors: the budget's": Mutation(
        "PodDisruptionBudget", "spec.selector.matchLabels", {}, "CronJob"
    ),
    "selectors: a policy's": Mutation(
        "NetworkPolicy", "spec.podSelector.matchLabels", {"app": "x"}, "selects []", RETRAIN
    ),
    "selectors: the spread's": Mutation(
        "Deployment",
        f"{POD}.topologySpreadConstraints.0.labelSelector.matchLabels",
        {"app": "digits"},
        "selects []",
    ),
    "selectors: the monitor's": Mutation(
        "ServiceMonitor", "spec.selector.matchLabels", {"app": "digits"}, "no Service"
    ),
    "selectors: the monitor's port": Mutation(
        "ServiceMonitor", "spec.endpoints.0.port", "metrics", "no Service"
    ),
    "mounts: one of no volume": Mutation(
        "Deployment", f"{MAIN}.volumeMounts.0.name", "key", "mounted"
    ),
    "mounts: a setting's path": Mutation(
        "Deployment", f"{MAIN}.env.0.value", "/keys", "/keys is on no volume"
    ),
    "mounts: a store that is written to": Mutation(
        "Deployment", f"{MAIN}.volumeMounts.1.readOnly", OFF, "/models is mounted to write"
    ),
    "mounts: metrics that cannot be written": Mutation(
        "Deployment", f"{MAIN}.volumeMounts.3.readOnly", ON, "is mounted to read"
    ),
    "mounts: no place for temporary files": Mutation(
        "Deployment", f"{MAIN}.volumeMounts.2.mountPath", "/scratch", "tmp is on no volume"
    ),
    "mounts: a path of the job": Mutation(
        CRON, f"{JOB}.containers.0.args.3", "/store", "/store is on no volume", RETRAIN
    ),
    "memory: too little of it": Mutation(
        "Deployment", f"{MAIN}.resources.limits.memory", "128Mi", "no room"
    ),
    "memory: too many workers": Mutation(
        "Deployment", f"{MAIN}.resources.limits.cpu", "4", "no room"
    ),
    "memory: too large a volume": Mutation(
        "Deployment", f"{POD}.volumes.2.emptyDir.sizeLimit", "256Mi", "no room"
    ),
    "memory: too small a volume": Mutation(
        "Deployment", f"{POD}.volumes.3.emptyDir.sizeLimit", "2Mi", "too small"
    ),
    "grace: too short": Mutation(
        "Deployment", f"{POD}.terminationGracePeriodSeconds", 45, "ends 45 s after"
    ),
    "grace: of a setting": Mutation(
        "Deployment",
        f"{MAIN}.env.0",
        {"name": "DIGITS_GRACEFUL_TIMEOUT", "value": "60"},
        "ends 75 s",
    ),
    "grace: no wait": Mutation(
        "Deployment", f"{MAIN}.lifecycle.preStop.sleep.seconds", 1, "does not wait"
    ),
    "grace: of pods": Mutation(
        "Deployment", "spec.strategy.rollingUpdate.maxUnavailable", 1, "takes pods away"
    ),
    "commands: of the model": Mutation(
        "Deployment", f"{POD}.initContainers.0.command.3", "plant", "invalid choice"
    ),
    "commands: of the training": Mutation(
        CRON, f"{JOB}.containers.0.args.8", "--without-drawing-s", "unrecognized", RETRAIN
    ),
    "images: another version": Mutation(
        "Deployment", f"{MAIN}.image", "digits:latest", "digits:latest"
    ),
    "images: always pulled": Mutation(
        "Deployment", f"{MAIN}.imagePullPolicy", "Always", "pulls Always"
    ),
    "images: less than a core": Mutation(
        "Deployment", f"{MAIN}.resources.limits.cpu", "0", "no whole core"
    ),
    "measures: no such metric": Mutation(
        "HorizontalPodAutoscaler",
        "spec.metrics.1.pods.metric.name",
        "digits_requests",
        "digits_requests",
    ),
    "measures: two that say how many": Mutation(
        "Deployment", "spec.replicas", 3, "an autoscaler does"
    ),
    "openness: a token": Mutation(
        "Deployment", f"{POD}.automountServiceAccountToken", GONE, "automountServiceAccountToken"
    ),
    "openness: variables of Services": Mutation(
        "Deployment", f"{POD}.enableServiceLinks", ON, "enableServiceLinks"
    ),
    "openness: one direction": Mutation(
        "NetworkPolicy", "spec.policyTypes", ["Ingress"], "both directions", RETRAIN
    ),
    "openness: no database": Mutation(
        "NetworkPolicy", "spec.egress.0.ports.2.port", 3306, "may not ask", "digits-feedback"
    ),
    "openness: no mirrors": Mutation(
        "NetworkPolicy", "spec.egress.0.ports.2.port", 80, "may not ask the mirrors", RETRAIN
    ),
    "names: a namespace": Mutation("Service", "metadata.namespace", "digits", "of a namespace"),
    "names: of the InferenceService": Mutation(
        "InferenceService", "metadata.name", "mnist", "not called so", applied="kserve"
    ),
    "names: of KServe's container": Mutation(
        "ServingRuntime", "spec.containers.0.name", "digits", "looks for", applied="kserve"
    ),
    "names: of a protocol": Mutation(
        "ServingRuntime", "spec.protocolVersions", ["v3"], "no such protocol", applied="kserve"
    ),
}


@pytest.mark.parametrize("name", APPLIED)
def test_what_is_applied_agrees(name: str) -> None:
    assert agreement.faults(applied(name)) == []


@pytest.mark.parametrize("component", NEEDS)
def test_a_component_goes_with_the_base(component: str, tmp_path: Path) -> None:
    rendered = composed(tmp_path, [*NEEDS[component], component])
    assert agreement.faults(objects(rendered)) == []


def test_components_go_with_each_other_in_any_order(tmp_path: Path) -> None:
    free = [name for name, needs in NEEDS.items() if not needs]
    built = [name for name, needs in NEEDS.items() if needs]
    assert agreement.faults(objects(composed(tmp_path, [*free[::-1], *built]))) == []


def test_every_component_is_used_here() -> None:
    folders = {path.parent.name for path in (KUBERNETES / "components").glob("*/*.yaml")}
    assert NEEDS.keys() == folders


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_fault_is_found(name: str) -> None:
    mutation, check = MUTATIONS[name], agreement.CHECKS[name.partition(":")[0]]
    found = list(check(mutated(mutation)))
    assert any(mutation.told in fault for fault in found), found


def test_every_check_is_seen_to_find_one() -> None:
    assert agreement.CHECKS.keys() == {name.partition(":")[0] for name in MUTATIONS}


def test_outside_is_the_same_by_both_ways() -> None:
    found = applied("operators")
    assert agreement.ingress_paths(found) == agreement.route_paths(found)


def test_what_tells_of_the_service_stays_inside() -> None:
    inside = {"/metrics", "/drift", "/livez", "/readyz", "/health"}
    outside = agreement.ingress_paths(applied("production"))
    reached = {
        rule
        for rule in agreement.routes()
        for path, whole in outside
        if rule == path or (not whole and rule.startswith(f"{path}/"))
    }
    assert reached == agreement.routes() - inside


# The operator's text.

README = (KUBERNETES / "README.md").read_text("utf-8")


def test_the_readme_makes_the_secrets() -> None:
    made = {
        name: set(re.findall(r"--from-(?:file|literal)=([\w.-]+)=", command))
        for name, command in re.findall(r"create secret generic ([\w-]+)((?:.*\\\n)*.*)", README)
    }
    assert made == {
        name: {*keys} for name, keys in agreement.SECRETS.items() if name != "digits-tls"
    }
    assert "create secret tls digits-tls " in README


def test_the_readme_has_every_component_and_overlay() -> None:
    assert {*re.findall(r"`components/([\w-]+)`", README)} == NEEDS.keys()
    assert re.findall(r"^\| `overlays/(\w+)`", README, re.MULTILINE) == [*OVERLAYS]


def test_the_readme_names_what_there_is() -> None:
    every = {(one["kind"].lower(), one["metadata"]["name"]) for one in applied("operators")}
    named = re.findall(r"\b(deployment|service|cronjob)/([\w-]+)", README)
    assert named
    assert {*named} <= every
    for text in (README, (KSERVE / "README.md").read_text("utf-8")):
        for path in re.findall(r"-[kf] (deploy/\S+)", text):
            assert (ROOT / path).exists(), path


def test_the_readme_has_the_rule_for_the_metric() -> None:
    [scaler] = called("HorizontalPodAutoscaler", applied("operators")).values()
    [metric] = [one["pods"]["metric"] for one in scaler["spec"]["metrics"] if "pods" in one]
    rules = yaml.safe_load(README.partition("```yaml\nrules:")[2].partition("```")[0])
    assert rules[0]["seriesQuery"].partition("{")[0] == metric["name"]


def test_the_readme_tells_every_verdict_that_ends_the_job() -> None:
    spec = called("CronJob", applied("production"))["digits-retraining"]["spec"]
    policy = spec["jobTemplate"]["spec"]["podFailurePolicy"]["rules"]
    [failing] = [rule["onExitCodes"] for rule in policy if rule["action"] == "FailJob"]
    told = re.findall(r"\| Failed, `PodFailurePolicy` \| (\d) \|", README)
    verdicts = {code for code in succession.EXITS.values() if code}
    assert {*map(int, told)} == {*failing["values"]} == verdicts | {1}
    assert failing["containerName"] == "retrain"
