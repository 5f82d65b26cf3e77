"""Grafana's own types of a dashboard, which the TypeScript compiler holds one against."""

import base64
import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.helpers import ROOT, missing

FOLDER = ROOT / "build" / "grafana"
PACKAGES = {
    "@grafana/schema@13.2.3": (
        "rk8FEO7yuFfRTK/JD39747SZFQ+iCTQbpm6Mh2OjnqGx/g/uQQFx56t64eCLXWEyoR68ru4cigcGKrXk+ozrLg=="
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


def faults(dashboard: Mapping[str, Any]) -> list[str]:
    """What is not as the types say, one line each."""
    _provide()
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        program = Path(folder) / "dashboard.ts"
        program.write_text("\n".join([OF_JSON, *_program(dashboard)]), "utf-8")
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
    """Both packages, fetched from the npm registry once and checked every time."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        missing("npm is needed to fetch Grafana's types: install it (Debian: npm)")
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
