"""Who may import whom, read from the source."""

import ast
import sys
import tomllib
from pathlib import Path

import pytest

from tests.helpers import ROOT

ALLOWED = {
    "model": {"model", "numpy"},
    "training": {"training", "model", "numpy", "PIL", "tqdm", "threadpoolctl", "_typeshed"},
    "service": {
        "service",
        "model",
        "numpy",
        "flask",
        "werkzeug",
        "PIL",
        "prometheus_client",
        "orjson",
        "gunicorn",
        "httptools",
        "uvloop",
        "yaml",
        "_typeshed",
    },
}

# What only one module needs, which its users install as an extra.
OPTIONAL = {
    "model/export.py": {"onnx"},
    "model/signature.py": {"cryptography"},
    "service/database.py": {"sqlalchemy"},
    "service/spans.py": {"opentelemetry"},
    "training/captures.py": {"sqlalchemy"},
    "training/cluster.py": {"distributed"},
}

FREE_OF_FLASK = [
    "addresses",
    "doors",
    "rates",
    "answers",
    "batches",
    "bodies",
    "captures",
    "codings",
    "correlation",
    "database",
    "dispatch",
    "documents",
    "embedded",
    "drift",
    "drift_report",
    "feedback",
    "inference",
    "keys",
    "logs",
    "multipart",
    "negotiation",
    "npy",
    "pixels",
    "problems",
    "queries",
    "images",
    "containers",
    "greyscale",
    "pictures",
    "limits",
    "errors",
    "slices",
    "spans",
    "tracing",
    "wsgi",
    "connection",
    "protocols/tensors",
    "protocols/v2_metadata",
    "protocols/v2_request",
    "protocols/v2_response",
]

SOURCES = [path for package in ALLOWED for path in sorted((ROOT / package).rglob("*.py"))]


def imported(path: Path) -> set[str]:
    """Top-level names of all that a file imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names.add(node.module or "")
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_package_imports_only_what_it_may(path: Path) -> None:
    name = path.relative_to(ROOT)
    allowed = ALLOWED[name.parts[0]] | OPTIONAL.get(str(name), set())
    assert imported(path) - sys.stdlib_module_names <= allowed


@pytest.mark.parametrize("name", FREE_OF_FLASK)
def test_the_request_pipeline_is_free_of_flask(name: str) -> None:
    assert not imported(ROOT / "service" / f"{name}.py") & {"flask"}


@pytest.mark.parametrize("name", sorted(ALLOWED))
def test_no_code_is_exported_under_a_name_that_is_not_there(name: str) -> None:
    package = __import__(name)
    for exported in getattr(package, "__all__", []):
        assert hasattr(package, exported)


def test_every_python_package_is_listed_and_typed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    listed = set(project["tool"]["setuptools"]["packages"])
    assert listed == {".".join(path.relative_to(ROOT).parent.parts) for path in SOURCES}
    for package in ALLOWED:
        assert (ROOT / package / "py.typed").exists()
