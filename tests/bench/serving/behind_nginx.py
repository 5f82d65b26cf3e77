"""The service with nginx in front: ``python -m tests.bench.serving.behind_nginx PORT``."""

import os
import sys
import tempfile
from pathlib import Path

from tests.deploy.nginx import fronting
from tests.server import running

# The load comes from one address.
WITHOUT_LIMIT = {"limit_req zone=requests burst=400 nodelay;": ""}


def main(port: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (
            running(folder / "service.log", workers=1, model=os.environ["DIGITS_MODEL"]) as server,
            fronting(folder, [server.port], changes=WITHOUT_LIMIT, port=port),
        ):
            server.process.wait()


if __name__ == "__main__":
    main(int(sys.argv[1]))
