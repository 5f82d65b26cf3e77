"""The manifests as ``kubectl`` renders them, and the pods within."""

import copy
import os
import subprocess
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from tests.helpers import ROOT, missing

Object: TypeAlias = dict[str, Any]

KUBERNETES = ROOT / "deploy/kubernetes"
KSERVE = ROOT / "deploy/kserve"
TOOLS = ROOT / ".venv/deploy/bin"
VERSION = "1.36"  # of Kubernetes
OLDEST = "1.32"  # that it may be

OVERLAYS = ("small", "production", "operators")

# What a component builds upon, beside the base.
NEEDS = {
    "images": (),
    "store": (),
    "feedback": (),
    "keys": (),
    "retraining": ("store", "feedback"),
    "ingress": (),
    "gateway": (),
    "monitoring": (),
    "autoscaling": (),
    "autoscaling-by-requests": ("autoscaling",),
}

# Everything that somebody may apply.
APPLIED = {
    "base": KUBERNETES / "base",
    **{name: KUBERNETES / "overlays" / name for name in OVERLAYS},
    "kserve": KSERVE,
}


def tool(name: str) -> str:
    """A program of ``requirements/deploy.txt``."""
    program = TOOLS / name
    if not program.exists():
        missing(f"{name} is needed: make .venv/deploy/stamp")
    return str(program)


def checkov(file: Path, framework: str, *options: str) -> list[str]:
    """The checks of a file that fail, with the objects; offline."""
    command = [
        tool("checkov"),
        *("--file", str(file), "--framework", framework),
        *("--output", "json", "--quiet", "--skip-download", *options),
    ]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    report = yaml.safe_load(run.stdout)
    assert report["summary"]["passed"] > 0, run.stderr
    failed = report["results"]["failed_checks"]
    assert bool(run.returncode) == bool(failed)
    return [f"{one['check_id']} {one['resource']}" for one in failed]


@cache
def text(name: str) -> str:
    """The manifests of one of ``APPLIED``, as they would be sent to a cluster."""
    return kustomized(APPLIED[name])


def kustomized(folder: Path) -> str:
    """What ``kubectl kustomize`` says of a folder."""
    run = subprocess.run(
        [tool("kubectl"), "kustomize", str(folder)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert not run.stderr  # a warning
    return run.stdout


def composed(folder: Path, components: Sequence[str]) -> str:
    """The base with some components, as an operator would put them together in a folder."""
    place = Path(os.path.relpath(KUBERNETES, folder))
    kustomization = {
        "resources": [str(place / "base")],
        "components": [str(place / "components" / name) for name in (*components, "images")],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization), "utf-8")
    return kustomized(folder)


def objects(rendered: str) -> list[Object]:
    return [found for found in yaml.safe_load_all(rendered) if found]


def applied(name: str) -> list[Object]:
    """A copy of the objects of one of ``APPLIED``."""
    return objects(text(name))


def called(kind: str, found: Sequence[Object]) -> dict[str, Object]:
    """The objects of one kind, by their names."""
    return {one["metadata"]["name"]: one for one in found if one["kind"] == kind}


def templates(found: Sequence[Object]) -> dict[str, Object]:
    """The pods that come of the objects, as templates, by the kind and the name of their owner."""
    pods = {f"{one['kind']} {one['metadata']['name']}": _template(one) for one in found}
    runtimes = called("ServingRuntime", found)
    for name, service in called("InferenceService", found).items():
        runtime = runtimes[service["spec"]["predictor"]["model"]["runtime"]]
        pods[f"InferenceService {name}"] = _predictor(service, runtime)
    return {name: pod for name, pod in pods.items() if pod is not None}


def _template(one: Object) -> Object | None:
    if one["kind"] == "CronJob":
        return _template({"kind": "Job", **one["spec"]["jobTemplate"]})
    if one["kind"] in {"Deployment", "Job"}:
        template: Object = one["spec"]["template"]
        return template
    return None


def _predictor(service: Object, runtime: Object) -> Object:
    """What KServe makes of both: the runtime's containers and volumes, the service's pod."""
    predictor = copy.deepcopy(service["spec"]["predictor"])
    model = predictor.pop("model")
    containers = copy.deepcopy(runtime["spec"]["containers"])
    volumes = copy.deepcopy(runtime["spec"]["volumes"])
    if model["storageUri"].startswith("pvc://"):
        claim = model["storageUri"].removeprefix("pvc://")
        volumes.append({"name": "model", "persistentVolumeClaim": {"claimName": claim}})
        mount = {"name": "model", "mountPath": "/mnt/models", "readOnly": True}
        containers[0]["volumeMounts"].append(mount)
    metadata = service["metadata"]
    own = {"serving.kserve.io/inferenceservice": metadata["name"]}
    return {
        "metadata": {"labels": {**metadata["labels"], **own}},
        "spec": {**predictor, "containers": containers, "volumes": volumes},
    }


def containers(pod: Object) -> Iterator[Object]:
    """All of them, those that come first included."""
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        yield from pod["spec"].get(kind, [])


def serves(container: Object) -> bool:
    """Whether it runs what the serving image runs by itself."""
    image: str = container["image"]
    return image.rpartition(":")[0] == "digits" and "command" not in container


def bytes_of(quantity: str) -> int:
    """Of a quantity of memory with a binary suffix."""
    return int(quantity[:-2]) << {"Ki": 10, "Mi": 20, "Gi": 30}[quantity[-2:]]
