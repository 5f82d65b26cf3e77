"""Types of others, which the TypeScript compiler holds our files against.

Grafana's own of a dashboard; those that are generated from the Go sources of the Prometheus
Operator and of the Gateway API, of their kinds.
"""

import base64
import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.helpers import ROOT, missing

FOLDER = ROOT / "build" / "types"
PACKAGES = {
    "@grafana/schema@13.2.3": (
        "rk8FEO7yuFfRTK/JD39747SZFQ+iCTQbpm6Mh2OjnqGx/g/uQQFx56t64eCLXWEyoR68ru4cigcGKrXk+ozrLg=="
    ),
    "@kubernetes-models/apimachinery@3.0.2": (
        "6Vbzr/tinxPBGGdfYjXiV9WPj8PEhyiqGJiWhXrsihK7h6glPj4HKUxZ0YwYXH/5uucm/NVef/xY3vZ4Crj1Fg=="
    ),
    "@kubernetes-models/base@6.0.1": (
        "pXKCFeSoL6RsMxoPDwaJ5JtijVjeuNCacgtYS9dImF7qFdzdc9lcQbem6y6Ug7/K6/bFOWdTu3qIX88IK81o0A=="
    ),
    "@kubernetes-models/gateway-api@2.0.0": (
        "e7SY7EkCGRHy5wHkaGhP32v7V1L+gBalfoqZDFDWn5k9Q7+IW6uz9jNWgOZ9R/Hv5NWyAFYaA01ET2qsysVt5A=="
    ),
    "@kubernetes-models/prometheus-operator@6.0.0": (
        "ySNW4T6U6Vn86bmcJ/emmAYJ/UrzpNvzxWexWJSALwgiO4FqCgL6WoqFsOReSiMhw/LlF+MljQvoiwD3RnaGmg=="
    ),
    "typescript@5.9.3": (
        "jl1vZzPDinLr9eUt3J/t7V6FgNEw9QjvBPdysz9KfQDD41fQrC2Y4vKQdiaUpFT4bXlb1RHhLpp8wtm6M5TgSw=="
    ),
}
OPTIONS = ["--noEmit", "--strict", "--skipLibCheck", "--target", "es2022", "--module", "nodenext"]

# JSON has the text of an enumeration's member, and the type the member.
OF_JSON = """
type OfJson<T> = T extends string ? (string extends T ? T : `${T}`)
  : T extends object ? {[Key in keyof T]: OfJson<T[Key]>} : T;
"""

# What the types leave to the data source.
OF_PROMETHEUS = ("expr", "step", "titleFormat", "textFormat")


# The kinds of operators, and the modules that have their types.
OF_OPERATORS = {
    "HTTPRoute": "gateway-api/gateway.networking.k8s.io/v1",
    "PrometheusRule": "prometheus-operator/monitoring.coreos.com/v1",
    "ServiceMonitor": "prometheus-operator/monitoring.coreos.com/v1",
}


def faults(dashboard: Mapping[str, Any]) -> list[str]:
    """What of a dashboard is not as the types say, one line each."""
    return _compiled([OF_JSON, *_program(dashboard)])


def faults_of(found: Mapping[str, Any]) -> list[str]:
    """The same of an object of a cluster, of one of ``OF_OPERATORS``."""
    kind = found["kind"]
    module = f"@kubernetes-models/{OF_OPERATORS[kind]}/{kind}"
    return _compiled([f"export const found: import('{module}').I{kind} = {json.dumps(found)};"])


def _compiled(lines: Sequence[str]) -> list[str]:
    """What the compiler says of a program."""
    _provide()
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        program = Path(folder) / "program.ts"
        program.write_text("\n".join(lines), "utf-8")
        compiler = FOLDER / "node_modules/typescript/lib/tsc.js"
        run = subprocess.run(
            ["node", str(compiler), *OPTIONS, str(program)],
            capture_output=True,
            text=True,
            check=False,
        )
    assert bool(run.returncode) == bool(run.stdout), run.stderr
    return run.stdout.splitlines()


def _program(dashboard: Mapping[str, Any]) -> Iterator[str]:
    """A dashboard as constants of Grafana's types, the parts that depend on a panel apart."""
    whole = json.loads(json.dumps(dashboard))
    for annotation in whole["annotations"]["list"]:
        for name in OF_PROMETHEUS:
            annotation.pop(name, None)
    panels = whole.pop("panels")
    yield _constant("dashboard", "Omit<{}, 'panels'>", "raw/dashboard/x", "Dashboard", whole)
    for number, panel in enumerate(panels):
        kind = panel["type"]
        if kind == "row":
            yield _constant(f"row{number}", "{}", "raw/dashboard/x", "RowPanel", panel)
            continue
        place = f"raw/composable/{kind}/panelcfg/x"
        options = panel.pop("options")
        custom = panel["fieldConfig"]["defaults"].pop("custom", None)
        yield _constant(f"panel{number}", "{}", "raw/dashboard/x", "Panel", panel)
        yield _constant(f"options{number}", "{}", place, "Options", options)
        if custom is not None:
            yield _constant(f"custom{number}", "{}", place, "FieldConfig", custom)


def _constant(name: str, kind: str, place: str, exported: str, value: object) -> str:
    module = FOLDER / f"node_modules/@grafana/schema/dist/types/{place}/types.gen"
    imported = f"import('{module}.js').{exported}"
    return f"export const {name}: {kind.format(f'OfJson<{imported}>')} = {json.dumps(value)};"


def _provide() -> None:
    """All packages, fetched from the npm registry once and checked every time."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        missing("npm is needed to fetch types of others: install it (Debian: npm)")
    FOLDER.mkdir(parents=True, exist_ok=True)
    for package, digest in PACKAGES.items():
        name, _, version = package.rpartition("@")
        packed = FOLDER / f"{name.removeprefix('@').replace('/', '-')}-{version}.tgz"
        if not packed.exists():
            command = ["npm", "pack", package, "--pack-destination", str(FOLDER)]
            subprocess.run(command, check=True, capture_output=True)
        found = base64.b64encode(hashlib.sha512(packed.read_bytes()).digest()).decode()
        assert found == digest, f"{packed} is not {package}; remove it"
        place = FOLDER / "node_modules" / name
        if not place.exists():
            _unpack(packed, place)


def _unpack(packed: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder, tarfile.open(packed) as files:
        files.extractall(folder, filter="data")
        (Path(folder) / "package").rename(place)
