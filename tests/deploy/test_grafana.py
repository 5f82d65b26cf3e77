"""The dashboard: whole, and of Grafana's form. What its panels ask is in ``test_prometheus.py``."""

import re
from itertools import combinations
from typing import Any

import pytest
import yaml

from tests.deploy import schema
from tests.deploy.conftest import Prometheus
from tests.deploy.expressions import (
    GRAFANA,
    PROMETHEUS,
    VARIABLES,
    asked_by_panels,
    dashboard,
    filled,
    groupings,
)
from tests.helpers import table

WIDTH = 24  # of Grafana's grid

DASHBOARD = dashboard()
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
EACH = {panel["title"]: panel for panel in PANELS}


def test_no_two_panels_have_one_title() -> None:
    assert len(EACH) == len(PANELS)
    assert len(asked_by_panels()) >= sum(len(panel["targets"]) for panel in PANELS)


def test_the_rows_are_those_of_the_readme() -> None:
    rows = [panel["title"] for panel in DASHBOARD["panels"] if panel["type"] == "row"]
    readme = (GRAFANA / "README.md").read_text("utf-8")
    assert rows == ["Traffic", "Latency", "Model", "Answers", "Drift", "Feedback", "Process"]
    assert f"the dashboard: {', '.join(rows).lower()} |" in readme


def test_no_number_is_given_twice() -> None:
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(numbers)) == len(numbers)
    assert DASHBOARD["id"] is None  # Grafana's own
    assert re.fullmatch(r"[\w-]{1,40}", DASHBOARD["uid"])


def test_panels_lie_beside_each_other() -> None:
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    assert all(place["x"] + place["w"] <= WIDTH for place in places)
    for one, other in combinations(places, 2):
        assert (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        ), (one, other)


@table("panel", EACH)
def test_a_panel_says_what_it_shows_and_in_which_unit(panel: dict[str, Any]) -> None:
    assert panel["description"].endswith(".")
    if panel["type"] == "heatmap":
        assert panel["options"]["yAxis"]["unit"]
    elif panel["type"] != "table":
        assert panel["fieldConfig"]["defaults"]["unit"]
    references = [target["refId"] for target in panel["targets"]]
    assert len(set(references)) == len(references) > 0
    if panel["type"] == "timeseries":
        assert all(target["legendFormat"] for target in panel["targets"])


@table("panel", EACH)
def test_a_legend_names_labels_that_its_series_have(
    prometheus: Prometheus, panel: dict[str, Any]
) -> None:
    for target in panel["targets"]:
        named = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        found = prometheus.query(filled(target["expr"]))
        assert all(named <= set(series["metric"]) for series in found)
        if not found:  # "job:" says which labels a recorded rule has
            assert named <= groupings(target["expr"]) | (
                {"job"} if "job:" in target["expr"] else set()
            )


def test_every_data_source_is_the_variable() -> None:
    found = re.findall(r'"uid": "([^"]+)"', (GRAFANA / "digits.json").read_text("utf-8"))
    assert set(found) == {"${datasource}", "-- Grafana --", DASHBOARD["uid"]}


def test_every_variable_that_is_used_is_defined() -> None:
    variables = {found["name"]: found for found in DASHBOARD["templating"]["list"]}
    text = (GRAFANA / "digits.json").read_text("utf-8")
    used = set(re.findall(r"\$\{?(\w+)", text))
    assert list(variables) == ["datasource", "job", "instance"]
    assert used == variables.keys() | {name.removeprefix("$") for name in VARIABLES}
    assert variables["datasource"]["query"] == "prometheus"


@table("panel", EACH)
def test_every_expression_follows_the_job(panel: dict[str, Any]) -> None:
    assert all('job=~"$job"' in target["expr"] for target in panel["targets"])


def test_it_is_provisioned_from_where_the_readme_puts_it() -> None:
    readme = (GRAFANA / "README.md").read_text("utf-8")
    file = GRAFANA / "provisioning/dashboards/digits.yml"
    (provider,) = yaml.safe_load(file.read_text("utf-8"))["providers"]
    assert (provider["type"], provider["allowUiUpdates"]) == ("file", False)
    assert f"`digits.json` into `{provider['options']['path']}`" in readme


def test_the_data_source_is_asked_as_often_as_prometheus_scrapes() -> None:
    file = GRAFANA / "provisioning/datasources/prometheus.yml"
    (source,) = yaml.safe_load(file.read_text("utf-8"))["datasources"]
    scrapes = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text("utf-8"))["global"]
    assert source["type"] == "prometheus"
    assert source["jsonData"]["timeInterval"] == scrapes["scrape_interval"]


def test_it_is_of_the_form_that_grafana_publishes() -> None:
    assert schema.faults(DASHBOARD) == []


@pytest.mark.parametrize(
    ("place", "wrong"),
    [
        (("schemaVersion",), "42"),
        (("refersh",), "30s"),
        (("panels", 1, "gridpos"), {}),
        (("panels", 1, "options", "graphMode"), "aria"),
        (("panels", 7, "fieldConfig", "defaults", "custom", "drawStyle"), "lien"),
        (("templating", "list", 1, "refresh"), 7),
    ],
)
def test_another_form_is_seen(place: tuple[str | int, ...], wrong: object) -> None:
    broken: Any = dashboard()
    inner = broken
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = wrong
    assert schema.faults(broken)
