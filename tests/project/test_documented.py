"""What the service README's tables say is what the code has, and the other way round."""

import re
from pathlib import Path

import pytest

from model import Classifier, locate
from model.artifact import read
from service import problems
from service.app import create_app
from service.drift import Drift
from service.metrics import Metrics
from service.settings import PREFIX, Settings
from tests.helpers import ROOT
from tests.project.test_openapi import EVERYTHING


def first_column(readme: Path, heading: str) -> list[str]:
    """The code words in the first column of the table below a heading."""
    section = readme.read_text("utf-8").partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `([^`]+)`", section, flags=re.MULTILINE)


def service_table(heading: str) -> list[str]:
    rows = first_column(ROOT / "service/README.md", heading)
    assert len(rows) == len(set(rows))
    return rows


def test_every_setting_is_in_the_table_with_its_default() -> None:
    text = (ROOT / "service/README.md").read_text("utf-8")
    settings = Settings()
    assert service_table("Settings") == [PREFIX + name.upper() for name in vars(settings)]
    for name, value in vars(settings).items():
        default = "" if value is None else f"`{value}`"
        assert f"| `{PREFIX}{name.upper()}` | {default}" in text


def test_every_error_is_in_the_table_with_its_status() -> None:
    text = (ROOT / "service/README.md").read_text("utf-8")
    told = [*problems.TABLE.values(), problems.INTERNAL]
    assert set(service_table("Errors")) == {problem.code for problem in told}
    for problem in told:
        assert f"| `{problem.code}` | {problem.status.value} |" in text


def test_every_route_is_in_the_table() -> None:
    app = create_app(EVERYTHING, Classifier.load(locate()))
    app.extensions["captures"].close()
    documented = {path for row in service_table("Routes") for path in [row.split()[1]]}
    assert documented == {rule.rule for rule in app.url_map.iter_rules()}


def test_every_metric_is_in_the_table() -> None:
    counted = [*Metrics().registry.collect(), *Drift(read(locate()), 3600).collect()]
    names = {metric.name for metric in counted}
    documented = {name.removesuffix("_total") for name in service_table("Metrics")}
    assert documented == names


@pytest.mark.parametrize("package", ["model", "training", "service"])
def test_every_module_of_a_package_is_in_its_readme(package: str) -> None:
    text = (ROOT / package / "README.md").read_text("utf-8")
    folder = ROOT / package
    modules = {str(path.relative_to(folder)) for path in folder.rglob("*.py")}
    modules = {name for name in modules if not name.endswith("__init__.py")}
    assert modules <= set(re.findall(r"`([\w/]+\.py)`", text))
