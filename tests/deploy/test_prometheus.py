"""The rules: promtool's tests of them, and what a real Prometheus finds in the real service."""

import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from model import Classifier, locate
from service import problems
from service.app import create_app
from tests.deploy.conftest import Prometheus
from tests.deploy.expressions import (
    PROMETHEUS,
    Selector,
    asked_by_panels,
    asked_by_rules,
    groupings,
    rules,
    selectors,
)
from tests.helpers import ROOT, missing, table
from tests.project.test_documented import service_table
from tests.project.test_openapi import EVERYTHING

# What has no series after some seconds of work, and why.
EMPTY = {
    r'digits_requests_total\{.*status=~"5\.\."\}': "no work has failed",
    r"job:digits_errors:ratio_rate\w+(\{.*\})?": "no work has failed",
    r"ALERTS\{.*\}": "nothing is wrong for long enough",
}

# Of every target, and of every alert; Prometheus makes them.
MADE = {
    "up": {"job", "instance"},
    "scrape_duration_seconds": {"job", "instance"},
    "ALERTS": {"alertname", "alertstate", "job", "severity"},
}

ALERTS = [rule for rule in rules() if "alert" in rule]
ASKED = {**asked_by_rules(), **asked_by_panels()}


def promtool(*arguments: str) -> None:
    if shutil.which("promtool") is None:
        missing("promtool is needed; it comes with prometheus")
    run = subprocess.run(
        ["promtool", *arguments], cwd=PROMETHEUS, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr


@table(
    "arguments",
    {
        "configuration": ("check", "config", "prometheus.yml"),
        "configuration of the stack": ("check", "config", "stack.yml"),
        "rules": ("check", "rules", "--lint=all", "--lint-fatal", "rules.yml"),
        "minutes": ("test", "rules", "rules.test.yml"),
        "days": ("test", "rules", "rules.long.test.yml"),
    },
)
def test_promtool_agrees(arguments: tuple[str, ...]) -> None:
    promtool(*arguments)


def told_of_alerts() -> list[tuple[str, bool]]:
    """Which alert each unit test is about, and whether it fires there."""
    files = [PROMETHEUS / name for name in ("rules.test.yml", "rules.long.test.yml")]
    cases = [case for file in files for case in yaml.safe_load(file.read_text("utf-8"))["tests"]]
    asked = [one for case in cases for one in case.get("promql_expr_test", [])]
    return [
        (re.findall(r'alertname="(\w+)"', one["expr"])[0], bool(one["exp_samples"]))
        for one in asked
    ]


def test_every_alert_is_seen_to_fire_and_not_to_fire() -> None:
    names = {rule["alert"] for rule in ALERTS}
    assert set(told_of_alerts()) == {(name, fires) for name in names for fires in (True, False)}


@table("rule", {rule["alert"]: rule for rule in ALERTS})
def test_an_alert_says_what_is_wrong_and_where_to_read_on(rule: dict[str, Any]) -> None:
    readme = (PROMETHEUS / "README.md").read_text("utf-8")
    name, said = rule["alert"], rule["annotations"]
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert said.keys() == {"summary", "description", "runbook"}
    assert "First " in said["description"]
    assert said["runbook"] == f"deploy/prometheus/README.md#{name.lower()}"
    _, _, section = readme.partition(f"\n### {name}\n\n")
    assert len(section.partition("\n\n")[0]) > 100
    assert f"\n| [{name}](#{name.lower()}) | {rule['labels']['severity']} |" in readme


def test_the_readme_has_no_alert_that_there_is_not() -> None:
    readme = (PROMETHEUS / "README.md").read_text("utf-8")
    assert re.findall(r"^### (\w+)$", readme, re.MULTILINE) == [rule["alert"] for rule in ALERTS]


def test_work_is_every_route_that_predicts_or_explains() -> None:
    app = create_app(EVERYTHING, Classifier.load(locate()))
    app.extensions["captures"].close()
    takes = {rule.rule for rule in app.url_map.iter_rules() if "POST" in (rule.methods or ())}
    takes = {path for path in takes if "repository" not in path} - {"/feedback"}
    predicts = {path for path in takes if "explain" not in path}
    patterns = {
        found for asked in ASKED.values() for found in re.findall(r'route=~"([^"]+)"', asked)
    }
    every = {rule.rule for rule in app.url_map.iter_rules()}
    matched = {
        pattern: {path for path in every if re.fullmatch(pattern, path)} for pattern in patterns
    }
    assert matched == {".*(predict|infer|explain)": takes, ".*(predict|infer)": predicts}


def test_codes_are_those_of_the_error_table() -> None:
    codes = {found for asked in ASKED.values() for found in re.findall(r'code="(\w+)"', asked)}
    assert codes
    assert codes <= {problem.code for problem in problems.TABLE.values()}


# Which metrics there are, and which labels they have.


def base(metric: str) -> str:
    """A metric's name in the README: that of a histogram, where it is a part of one."""
    whole = re.sub("_(bucket|sum|count)$", "", metric)
    readme = (ROOT / "service/README.md").read_text("utf-8")
    return whole if f"\n| `{whole}` | histogram" in readme else metric


def unknown_metrics(expression: str) -> set[str]:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    known = {*service_table("Metrics"), *recorded, *MADE}
    return {base(selector.metric) for selector in selectors(expression)} - known


@table("expression", ASKED)
def test_every_metric_that_is_asked_for_is_documented(expression: str) -> None:
    assert selectors(expression)
    assert unknown_metrics(expression) == set()


def test_every_documented_metric_is_asked_for() -> None:
    asked = {base(found.metric) for text in ASKED.values() for found in selectors(text)}
    assert asked >= {*service_table("Metrics")}


def labels_of(prometheus: Prometheus, metric: str) -> set[str]:
    if metric.startswith("job:"):
        return {"job"}
    return MADE.get(metric) or prometheus.labels(metric)


def unknown_labels(prometheus: Prometheus, expression: str) -> set[str]:
    """Labels that an expression asks of metrics which do not have them."""
    found = {one: labels_of(prometheus, one.metric) for one in selectors(expression)}
    asked = {label for one, has in found.items() for label in one.labels - has}
    return asked | (groupings(expression) - set().union(*found.values()))


@table("expression", ASKED)
def test_every_label_that_is_asked_for_is_there(prometheus: Prometheus, expression: str) -> None:
    assert unknown_labels(prometheus, expression) == set()


@table("rule", {rule["alert"]: rule for rule in ALERTS})
def test_an_alert_speaks_of_labels_that_it_has(
    prometheus: Prometheus, rule: dict[str, Any]
) -> None:
    has = {label for one in selectors(rule["expr"]) for label in labels_of(prometheus, one.metric)}
    grouped = groupings(rule["expr"])
    spoken = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
    assert spoken <= (grouped or has)


# What a real Prometheus finds.


def is_empty_by_right(selector: Selector) -> bool:
    return any(re.fullmatch(one, str(selector)) for one in EMPTY)


def without_data(prometheus: Prometheus, expression: str) -> list[str]:
    """What an expression selects without finding any series, and no reason is known for it."""
    asked = [one for one in selectors(expression) if not is_empty_by_right(one)]
    return [str(one) for one in asked if not prometheus.query(str(one))]


@table("expression", ASKED)
def test_every_series_that_is_asked_for_has_data(prometheus: Prometheus, expression: str) -> None:
    assert without_data(prometheus, expression) == []


@table("expression", {name: text for name, text in ASKED.items() if not name.startswith("Digits")})
def test_every_panel_and_recorded_rule_has_data(prometheus: Prometheus, expression: str) -> None:
    found = prometheus.query(expression)
    assert found or any(is_empty_by_right(one) for one in selectors(expression))


@table("rule", {rule["alert"]: rule for rule in ALERTS})
def test_every_alert_can_be_asked_for(prometheus: Prometheus, rule: dict[str, Any]) -> None:
    prometheus.query(rule["expr"])


def test_no_rule_fails_in_the_real_prometheus(prometheus: Prometheus) -> None:
    groups = prometheus.ask("rules")["groups"]
    found = {rule["name"]: rule["health"] for group in groups for rule in group["rules"]}
    assert found == dict.fromkeys(asked_by_rules(), "ok")


def test_the_tables_of_what_has_no_data_are_right(prometheus: Prometheus) -> None:
    asked = {one for text in ASKED.values() for one in selectors(text)}
    empty = [one for one in asked if is_empty_by_right(one)]
    assert [str(one) for one in empty if prometheus.query(str(one))] == []
    for pattern in EMPTY:
        assert any(re.fullmatch(pattern, str(one)) for one in empty), pattern


# That the checks above see what they are for.

MISTAKEN = {
    "a misspelt metric": "rate(digits_request_total[5m])",
    "a metric of another name": "sum by (job) (digit_requests)",
    "a part that a counter does not have": "digits_requests_total_bucket",
}


@table("expression", MISTAKEN)
def test_a_wrong_metric_is_seen(expression: str) -> None:
    assert unknown_metrics(expression)


@table(
    "expression, label",
    {
        "grouped by": ("sum by (rout) (rate(digits_requests_total[5m]))", "rout"),
        "matched": ('digits_requests_total{code="200"}', "code"),
        "joined on": ("digits_drift_psi and on (job, feature2) digits_drift_samples", "feature2"),
        "of a version": ('digits_images_total{model="1"}', "model"),
        "recorded": ('job:digits_work:rate5m{instance="a"}', "instance"),
    },
)
def test_a_wrong_label_is_seen(prometheus: Prometheus, expression: str, label: str) -> None:
    assert unknown_labels(prometheus, expression) == {label}


@table(
    "expression",
    {
        "value": 'digits_requests_total{route="/predicts"}',
        "regex": 'rate(digits_requests_total{route=~"predict"}[5m])',
        "code": 'digits_refused_total{code="overload"}',
    },
)
def test_a_wrong_value_is_seen(prometheus: Prometheus, expression: str) -> None:
    assert without_data(prometheus, expression)


def test_a_wrong_expression_is_seen(prometheus: Prometheus) -> None:
    with pytest.raises(AssertionError, match="parse error"):
        prometheus.query("sum by (job digits_requests_total")
