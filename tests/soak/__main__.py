"""``make soak``: the service for hours under all that it has to bear, and a verdict.

Mixed traffic at 70 % of what it can take, one request in ten bad, with models that are
exchanged and workers that are killed and replaced. Ends with status 1 where anything grew that
should not, answers became slower, or one was not what it had to be.
"""

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from tests.soak import page
from tests.soak.run import Plan, soak
from tests.soak.verdict import judge
from training.environment import machine

OUTPUT = Path("build/soak")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--hours", type=float, default=1.0, help="how long (1); 0.05 for a trial")
    parser.add_argument("--output", type=Path, default=OUTPUT, help=f"folder ({OUTPUT})")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rate, samples = soak(Plan.of(arguments.hours), Path(folder))
    findings = judge(samples)
    document = {
        "machine": machine(),
        "hours": arguments.hours,
        "requests_per_second": round(rate, 1),
        "findings": [asdict(one) for one in findings],
        "samples": [asdict(one) for one in samples],
    }
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "soak.json").write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    (arguments.output / "soak.html").write_text(page.page(rate, samples, findings), "utf-8")
    for one in findings:
        print(f"{'holds' if one.holds else 'FAILS':6} {one.name}: {one.words}")
    print(f"see {arguments.output / 'soak.html'}")
    return 0 if all(one.holds for one in findings) else 1


if __name__ == "__main__":
    sys.exit(main())
