"""What serving a request loads: NumPy and the model, nothing of training."""

import subprocess
import sys

from tests.helpers import ROOT

SERVE_ONE = """
import sys
from service.app import create_app
client = create_app().test_client()
answer = client.post("/predict", json={"pixels": [0] * 784})
assert answer.status_code == 200, answer.data
print(*sys.modules)
"""

LOAD_MODEL = "import sys, model; print(*sys.modules)"

TRAINING_ONLY = {"training", "tqdm", "threadpoolctl", "tests", "pytest"}
WEB = {"flask", "werkzeug", "PIL", "gunicorn", "prometheus_client", "orjson"}


def loaded(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter has after running ``code``."""
    names = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    return {name.partition(".")[0] for name in names}


def test_serving_a_request_loads_no_training_code() -> None:
    modules = loaded(SERVE_ONE)
    assert not modules & TRAINING_ONLY
    assert {"model", "service", "numpy"} <= modules


def test_the_model_package_stands_on_numpy_alone() -> None:
    assert not loaded(LOAD_MODEL) & (WEB | TRAINING_ONLY | {"service"})
