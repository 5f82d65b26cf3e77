"""The rules of ``deploy/prometheus/rules.yml`` as a PrometheusRule, which an operator reads.

``python -m tests.deploy.prometheus_rule`` makes the file anew; a test holds it to the rules.
"""

import yaml

from tests.deploy.expressions import PROMETHEUS
from tests.helpers import ROOT

FILE = ROOT / "deploy/kubernetes/components/monitoring/prometheusrule.yaml"

HEAD = """\
# Made of deploy/prometheus/rules.yml by python -m tests.deploy.prometheus_rule; change it there.
"""


def text() -> str:
    """The whole file."""
    groups = yaml.safe_load((PROMETHEUS / "rules.yml").read_text("utf-8"))["groups"]
    rule = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {
            "name": "digits",
            "labels": {"app.kubernetes.io/name": "digits", "app.kubernetes.io/part-of": "digits"},
        },
        "spec": {"groups": groups},
    }
    return HEAD + yaml.safe_dump(rule, sort_keys=False, width=1_000)


if __name__ == "__main__":
    FILE.write_text(text(), "utf-8")
