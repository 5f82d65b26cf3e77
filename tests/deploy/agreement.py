"""Whether manifests agree with the service and with each other: each check tells its faults."""

import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stderr
from functools import cache
from io import StringIO
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from model import Classifier, locate
from model import __main__ as model_commands
from service import metric_room
from service.app import create_app
from service.captures import CLOSE_SECONDS
from service.metrics import Metrics
from service.protocols import MODEL_NAME
from service.settings import Settings, SettingsError
from tests.deploy.manifests import Object, bytes_of, called, containers, serves, templates
from tests.helpers import ROOT
from tests.project.test_openapi import EVERYTHING
from training import __main__ as training_commands
from training.fetch import MIRRORS

# Whoever applies the manifests makes these, as the README says; values of the kind that is in them.
SECRETS = {
    "digits-feedback": {"url": "postgresql://digits@db/digits"},
    "digits-keys": {"api-keys": "k" * 32, "admin-token": "a" * 32},
    "digits-tls": {"tls.crt": "", "tls.key": ""},
}

# What a probe may ask: whether the process lives, whether requests are welcome.
LIVE = {"/livez", "/v2/health/live"}
READY = {"/readyz", "/v2/health/ready"}

# Whose pods are selected, by the name of what selects; all else is for those that serve.
SERVING = {"Deployment digits", "InferenceService digits"}
OWNERS = {
    "digits-retraining": {"CronJob digits-retraining"},
    "digits-rollback": {"CronJob digits-rollback"},
    "digits-seed": {"Job digits-seed"},
}

MASTER, WORKER = 10 * 2**20, 60 * 2**20  # bytes, resident

Faults = Iterator[str]


@cache
def routes() -> frozenset[str]:
    """The paths of everything that can be asked."""
    app = create_app(EVERYTHING, Classifier.load(locate()))
    app.extensions["captures"].close()
    return frozenset(rule.rule for rule in app.url_map.iter_rules())


def is_route(path: str, *, whole: bool = True) -> bool:
    """Whether something is there or, where not the whole path is meant, below it."""
    return path in routes() or (
        not whole and any(rule.startswith(f"{path.rstrip('/')}/") for rule in routes())
    )


def settings(found: Sequence[Object]) -> Faults:
    """Variables are settings, with values that the service takes."""
    for owner, pod in templates(found).items():
        for one in containers(pod):
            try:
                values = {each["name"]: _value(each) for each in one.get("env", [])}
                Settings.from_env(values)
            except (SettingsError, KeyError) as error:
                yield f"{owner}: {error}"
            else:
                yield from (f"{owner}: {name}" for name in values if not name.startswith("DIGITS_"))


def _value(variable: Object) -> str:
    if "value" in variable:
        text: str = variable["value"]
        return text
    reference = variable["valueFrom"]["secretKeyRef"]
    return SECRETS[reference["name"]][reference["key"]]


def ports(found: Sequence[Object]) -> Faults:
    """The container's port is the service's, and probes ask that one."""
    for owner, pod in templates(found).items():
        for one in filter(serves, containers(pod)):
            given = {each["name"]: each["value"] for each in one["env"] if "value" in each}
            port = Settings.from_env(given).port
            [declared] = one["ports"]
            if declared["containerPort"] != port:
                yield f"{owner}: the service is on port {port}"
            for probe in _probes(one).values():
                if probe["httpGet"]["port"] not in {port, declared["name"]}:
                    yield f"{owner}: a probe asks port {probe['httpGet']['port']}"


def port_names(found: Sequence[Object]) -> Faults:
    """What names a port of pods names one that they have."""
    every = [one for pod in templates(found).values() for one in containers(pod)]
    names = {port["name"] for one in every for port in one.get("ports", [])}
    for service in called("Service", found).values():
        for port in service["spec"]["ports"]:
            if port["targetPort"] not in names:
                yield f"Service: no pod has a port {port['targetPort']}"
    for name, policy in called("NetworkPolicy", found).items():
        for rule in policy["spec"].get("ingress", []):
            yield from (
                f"NetworkPolicy {name}: no pod has a port {port['port']}"
                for port in rule["ports"]
                if port["port"] not in names
            )


def _probes(container: Object) -> Mapping[str, Object]:
    return {name: probe for name, probe in container.items() if name.endswith("Probe")}


def probes(found: Sequence[Object]) -> Faults:
    """There is each kind of probe, and it asks what it is for."""
    for owner, pod in templates(found).items():
        for one in filter(serves, containers(pod)):
            asked = {name: probe["httpGet"]["path"] for name, probe in _probes(one).items()}
            if asked.keys() != {"startupProbe", "livenessProbe", "readinessProbe"}:
                yield f"{owner}: has {sorted(asked)}"
            for name, path in asked.items():
                if path not in (LIVE if name == "livenessProbe" else READY) & routes():
                    yield f"{owner}: {name} asks {path}"


def paths(found: Sequence[Object]) -> Faults:
    """What is asked over HTTP is a route."""
    for path, whole in ingress_paths(found) | route_paths(found):
        if not is_route(path, whole=whole):
            yield f"there is nothing at {path}"
    for monitor in called("ServiceMonitor", found).values():
        yield from (
            f"ServiceMonitor: there is nothing at {each['path']}"
            for each in monitor["spec"]["endpoints"]
            if not is_route(each["path"])
        )
    for runtime in called("ServingRuntime", found).values():
        annotations = runtime["spec"]["annotations"]
        if not is_route(annotations["prometheus.kserve.io/path"]):
            yield "ServingRuntime: the path of metrics is no route"
        [port] = runtime["spec"]["containers"][0]["ports"]
        if annotations["prometheus.kserve.io/port"] != str(port["containerPort"]):
            yield "ServingRuntime: the port of metrics is another"


def ingress_paths(found: Sequence[Object]) -> set[tuple[str, bool]]:
    return {
        (path["path"], path["pathType"] == "Exact")
        for ingress in called("Ingress", found).values()
        for rule in ingress["spec"]["rules"]
        for path in rule["http"]["paths"]
    }


def route_paths(found: Sequence[Object]) -> set[tuple[str, bool]]:
    return {
        (match["path"]["value"], match["path"]["type"] == "Exact")
        for route in called("HTTPRoute", found).values()
        for rule in route["spec"]["rules"]
        for match in rule["matches"]
    }


def references(found: Sequence[Object]) -> Faults:
    """What is named is there, or a Secret that the operator makes."""
    there = {(one["kind"], one["metadata"]["name"]) for one in found}
    for owner, kind, name in _named(found):
        if (kind, name) not in there and not (kind == "Secret" and name in SECRETS):
            yield f"{owner}: there is no {kind} {name}"
    for owner, pod in templates(found).items():
        for volume in pod["spec"]["volumes"]:
            secret = volume.get("secret", {})
            for item in secret.get("items", []):
                if item["key"] not in SECRETS.get(secret["secretName"], ()):
                    yield f"{owner}: Secret {secret['secretName']} has no {item['key']}"


def _named(found: Sequence[Object]) -> Iterator[tuple[str, str, str]]:
    for owner, pod in templates(found).items():
        spec = pod["spec"]
        if "serviceAccountName" in spec:
            yield owner, "ServiceAccount", spec["serviceAccountName"]
        for volume in spec["volumes"]:
            if "persistentVolumeClaim" in volume:
                claim = volume["persistentVolumeClaim"]["claimName"]
                yield owner, "PersistentVolumeClaim", claim
            if "secret" in volume:
                yield owner, "Secret", volume["secret"]["secretName"]
            if "configMap" in volume:
                yield owner, "ConfigMap", volume["configMap"]["name"]
    for name, scaler in called("HorizontalPodAutoscaler", found).items():
        target = scaler["spec"]["scaleTargetRef"]
        yield f"HorizontalPodAutoscaler {name}", target["kind"], target["name"]
    for name, ingress in called("Ingress", found).items():
        yield from (
            (f"Ingress {name}", "Secret", tls["secretName"]) for tls in ingress["spec"]["tls"]
        )


def backends(found: Sequence[Object]) -> Faults:
    """What comes from outside goes to a port of a Service."""
    known = {
        (name, port)
        for name, service in called("Service", found).items()
        for each in service["spec"]["ports"]
        for port in (each["port"], each["name"])
    }
    asked = {
        (path["backend"]["service"]["name"], path["backend"]["service"]["port"]["name"])
        for ingress in called("Ingress", found).values()
        for rule in ingress["spec"]["rules"]
        for path in rule["http"]["paths"]
    } | {
        (backend["name"], backend["port"])
        for route in called("HTTPRoute", found).values()
        for rule in route["spec"]["rules"]
        for backend in rule["backendRefs"]
    }
    yield from (f"there is no Service {name} with a port {port}" for name, port in asked - known)


def selectors(found: Sequence[Object]) -> Faults:
    """What selects pods selects those that it is for, and no others."""
    pods = templates(found)
    for kind, name, selector in _selecting(found):
        matched = {owner for owner, pod in pods.items() if _matches(selector, pod)}
        meant = {owner for owner in pods if owner in OWNERS.get(name, SERVING)}
        if matched != meant or not meant:
            yield f"{kind} {name}: selects {sorted(matched)}"
    for monitor in called("ServiceMonitor", found).values():
        selector = monitor["spec"]["selector"]["matchLabels"]
        services = [
            one
            for one in called("Service", found).values()
            if selector.items() <= one["metadata"]["labels"].items()
        ]
        named = {port["name"] for one in services for port in one["spec"]["ports"]}
        if not {each["port"] for each in monitor["spec"]["endpoints"]} <= named:
            yield "ServiceMonitor: selects no Service with such a port"


def _matches(selector: Mapping[str, str], pod: Object) -> bool:
    labels: Mapping[str, str] = pod["metadata"]["labels"]
    return selector.items() <= labels.items()


def _selecting(found: Sequence[Object]) -> Iterator[tuple[str, str, Mapping[str, str]]]:
    for one in found:
        spec, of = one.get("spec", {}), (one["kind"], one["metadata"]["name"])
        if one["kind"] == "Service":
            yield *of, spec["selector"]
        if one["kind"] in {"Deployment", "PodDisruptionBudget"}:
            yield *of, spec["selector"]["matchLabels"]
        if one["kind"] == "NetworkPolicy":
            yield *of, spec["podSelector"]["matchLabels"]
        if one["kind"] == "Deployment":
            for spread in spec["template"]["spec"]["topologySpreadConstraints"]:
                yield *of, spread["labelSelector"]["matchLabels"]


def mounts(found: Sequence[Object]) -> Faults:
    """Volumes and mounts name each other; the paths that are given are on one, to write or read."""
    for owner, pod in templates(found).items():
        volumes = {volume["name"] for volume in pod["spec"]["volumes"]}
        mounted = {each["name"] for one in containers(pod) for each in one["volumeMounts"]}
        if volumes != mounted:
            yield f"{owner}: volumes {sorted(volumes)}, mounted {sorted(mounted)}"
        for one in containers(pod):
            where = {each["mountPath"]: each.get("readOnly", False) for each in one["volumeMounts"]}
            for path, writes in _paths(one):
                places = [PurePosixPath(path), *PurePosixPath(path).parents]
                readonly = [where[str(place)] for place in places if str(place) in where]
                if not readonly:
                    yield f"{owner}: {path} is on no volume"
                elif readonly[0] is writes:
                    yield f"{owner}: {path} is mounted to {'read' if writes else 'write'}"


def _paths(container: Object) -> Iterator[tuple[str, bool]]:
    """Paths that a container is told, and whether it writes there."""
    if serves(container):
        yield "/tmp", True  # noqa: S108 - the container's own
    for variable in container.get("env", []):
        value = variable.get("value", "")
        if value.startswith("/"):
            yield value, variable["name"] == "DIGITS_METRICS_DIR"
    for word in [*container.get("command", []), *container.get("args", [])]:
        if word.startswith("/"):
            yield word, True


def memory(found: Sequence[Object]) -> Faults:
    """Volumes in memory count against the limit, and leave room for the workers."""
    for owner, pod in templates(found).items():
        sizes = {
            volume["name"]: bytes_of(volume["emptyDir"]["sizeLimit"])
            for volume in pod["spec"]["volumes"]
            if volume.get("emptyDir", {}).get("medium") == "Memory"
        }
        for one in filter(serves, containers(pod)):
            limits = one["resources"]["limits"]
            workers = int(limits["cpu"])
            taken = MASTER + workers * WORKER + sum(sizes.values())
            if taken > bytes_of(limits["memory"]):
                yield f"{owner}: has no room in memory for its volumes"
            files = metric_room.GENERATIONS * sum(metric_room.BYTES.values())
            if sizes["metrics"] < 2 * files * workers:  # as much again for drift
                yield f"{owner}: the volume for metrics is too small"
            if sizes.keys() != {"tmp", "metrics"}:
                yield f"{owner}: {sorted(sizes)} are in memory"


def grace(found: Sequence[Object]) -> Faults:
    """Nobody is killed before all is answered and written; nobody is sent what is not heard."""
    for owner, pod in templates(found).items():
        for one in filter(serves, containers(pod)):
            given = {each["name"]: each["value"] for each in one["env"] if "value" in each}
            needed = (
                one["lifecycle"]["preStop"]["sleep"]["seconds"]
                + Settings.from_env(given).graceful_timeout
                + CLOSE_SECONDS
            )
            if pod["spec"]["terminationGracePeriodSeconds"] <= needed:
                yield f"{owner}: ends {needed:.0f} s after it is told"
            if one["lifecycle"]["preStop"]["sleep"]["seconds"] < 5:
                yield f"{owner}: does not wait until nobody sends anything"
    for name, deployment in called("Deployment", found).items():
        if deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] != 0:
            yield f"Deployment {name}: takes pods away before there are others"


def commands(found: Sequence[Object]) -> Faults:
    """What is run is a command of this project, as its parser understands it."""
    for owner, pod in templates(found).items():
        for one in containers(pod):
            words = [*one.get("command", []), *one.get("args", [])]
            if serves(one) and not words:
                continue
            fault = _misunderstood(words)
            if fault:
                yield f"{owner}: {fault}"


def _misunderstood(words: Sequence[str]) -> str:
    parser, arguments = training_commands._parser(), words
    if words[:3] == ["python", "-m", "model"]:
        parser, arguments = model_commands._parser(), words[3:]
    told = StringIO()
    try:
        with redirect_stderr(told):
            parser.parse_args(arguments)
    except SystemExit:
        return told.getvalue()
    return ""


def images(found: Sequence[Object]) -> Faults:
    """Two images, of this version."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    known = {f"{name}:{project['version']}" for name in ("digits", "digits-training")}
    for owner, pod in templates(found).items():
        for one in containers(pod):
            if one["image"] not in known:
                yield f"{owner}: {one['image']} is none of {sorted(known)}"
            if one["imagePullPolicy"] != "IfNotPresent":
                yield f"{owner}: pulls {one['imagePullPolicy']}"
            if int(one["resources"]["limits"]["cpu"]) < 1:
                yield f"{owner}: has no whole core"


def measures(found: Sequence[Object]) -> Faults:
    """An autoscaler goes by a metric of the service, and by a request that is the limit."""
    collected = Metrics().registry.collect()
    known = {sample.name for metric in collected for sample in metric.samples}
    for scaler in called("HorizontalPodAutoscaler", found).values():
        for metric in scaler["spec"]["metrics"]:
            if metric["type"] == "Pods" and metric["pods"]["metric"]["name"] not in known:
                yield f"there is no metric {metric['pods']['metric']['name']}"
        name = scaler["spec"]["scaleTargetRef"]["name"]
        deployment = called("Deployment", found).get(name)
        if deployment and "replicas" in deployment["spec"]:
            yield f"Deployment {name}: says how many, and an autoscaler does"


def openness(found: Sequence[Object]) -> Faults:
    """No token, no variables of other Services, and a network policy for every pod."""
    policies = called("NetworkPolicy", found).values()
    for owner, pod in templates(found).items():
        for name in ("automountServiceAccountToken", "enableServiceLinks"):
            if pod["spec"].get(name) is not False:
                yield f"{owner}: {name} is not off"
        mine = [
            policy["spec"]
            for policy in policies
            if _matches(policy["spec"]["podSelector"]["matchLabels"], pod)
        ]
        if policies and {way for one in mine for way in one["policyTypes"]} != {
            "Ingress",
            "Egress",
        }:
            yield f"{owner}: no network policy is for both directions"
        open_to = {
            port["port"] for one in mine for rule in one.get("egress", []) for port in rule["ports"]
        }
        variables = {each["name"] for one in containers(pod) for each in one.get("env", [])}
        if "DIGITS_FEEDBACK_URL" in variables and not {53, 5432} <= open_to:
            yield f"{owner}: may not ask the database"
        fetches = any(one.get("args", [])[:1] == ["data"] for one in containers(pod))
        if fetches and not {
            urlsplit(mirror).scheme for mirror in (*MIRRORS.mnist, *MIRRORS.qmnist)
        } <= {scheme for scheme, port in {"http": 80, "https": 443}.items() if port in open_to}:
            yield f"{owner}: may not ask the mirrors"


def names(found: Sequence[Object]) -> Faults:
    """The namespace is the operator's choice; KServe asks for the model by the service's name."""
    yield from (
        f"{one['kind']} {one['metadata']['name']}: is of a namespace"
        for one in found
        if "namespace" in one["metadata"]
    )
    for name in called("InferenceService", found):
        if name != MODEL_NAME:
            yield f"InferenceService {name}: the model is not called so"
    for runtime in called("ServingRuntime", found).values():
        if [one["name"] for one in runtime["spec"]["containers"]] != ["kserve-container"]:
            yield "ServingRuntime: KServe looks for kserve-container"
        if not {f"/{version}" for version in runtime["spec"]["protocolVersions"]} <= {
            f"/{rule.split('/')[1]}" for rule in routes() if rule.count("/") > 1
        }:
            yield "ServingRuntime: speaks no such protocol"


CHECKS: Mapping[str, Callable[[Sequence[Object]], Faults]] = {
    check.__name__: check
    for check in (
        settings,
        ports,
        port_names,
        probes,
        paths,
        references,
        backends,
        selectors,
        mounts,
        memory,
        grace,
        commands,
        images,
        measures,
        openness,
        names,
    )
}


def faults(found: Sequence[Object]) -> list[Any]:
    """Of all checks, each fault behind the name of its check."""
    return [(name, fault) for name, check in CHECKS.items() for fault in check(found)]
