"""What is asked of Prometheus, by rules and by panels, and what of it is named where."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from tests.helpers import ROOT

PROMETHEUS = ROOT / "deploy/prometheus"
GRAFANA = ROOT / "deploy/grafana"

# What Grafana puts in for its variables.
VARIABLES = {
    "$job": "digits",
    "$instance": ".*",
    "$__rate_interval": "1m",
}

GROUPING = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")
RANGE = re.compile(r"\[[^]]*\]")
# A name that nothing in brackets follows, as it does a function.
SELECTOR = re.compile(r"(?<![\w.:])([a-zA-Z_:][\w:]*+)(\{[^}]*\})?+(?!\s*\()")
KEYWORDS = {"and", "or", "unless", "group_left"}


@dataclass(frozen=True)
class Selector:
    """A metric, and the series of it that are asked for."""

    metric: str
    matchers: str

    def __str__(self) -> str:
        return self.metric + self.matchers

    @property
    def labels(self) -> set[str]:
        return set(re.findall(r'(\w+)\s*(?:=~|!~|!=|=)\s*"', self.matchers))


def selectors(expression: str) -> list[Selector]:
    """All metrics that an expression names."""
    bare = RANGE.sub("", GROUPING.sub("", expression))
    found = [Selector(name, matchers) for name, matchers in SELECTOR.findall(bare)]
    return [selector for selector in found if selector.metric not in KEYWORDS]


def groupings(expression: str) -> set[str]:
    """All labels that an expression groups or matches by."""
    lists = [re.split(r"\s*,\s*", inside.strip()) for inside in GROUPING.findall(expression)]
    return {label for labels in lists for label in labels} - {""}


def rules() -> list[dict[str, Any]]:
    """All rules, recorded and alerting."""
    groups = yaml.safe_load((PROMETHEUS / "rules.yml").read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GRAFANA / "digits.json").read_text("utf-8"))
    return found


def filled(text: str) -> str:
    """A text of the dashboard with its variables filled in."""
    for name, value in VARIABLES.items():
        text = text.replace(name, value)
    assert "$" not in text, text
    return text


def asked_by_rules() -> dict[str, str]:
    """The expressions of the rules, by their names."""
    return {rule.get("alert") or rule["record"]: rule["expr"] for rule in rules()}


def asked_by_panels() -> dict[str, str]:
    """The expressions of the dashboard, by their places, with variables filled in."""
    return dict(_panels(dashboard()))


def _panels(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for panel in found["panels"]:
        for target in panel.get("targets", []):
            yield f"{panel['title']} {target['refId']}", filled(target["expr"])
    for annotation in found["annotations"]["list"]:
        if "expr" in annotation:
            yield f"annotation {annotation['name']}", filled(annotation["expr"])
