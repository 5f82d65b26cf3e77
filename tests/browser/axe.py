"""axe-core, which knows the rules of accessibility (WCAG) and checks a page in a browser."""

import base64
import hashlib
import shutil
import subprocess
import tarfile

from tests.helpers import ROOT, missing

VERSION = "4.14.1"
SHA512 = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="

FOLDER = ROOT / "build" / "axe"
PACKED = FOLDER / f"axe-core-{VERSION}.tgz"
MEMBER = "package/axe.min.js"


def source() -> str:
    """The script, fetched from the npm registry once and checked every time."""
    if not PACKED.exists():
        if shutil.which("npm") is None:
            missing("npm is needed to fetch axe-core: install it (Debian: npm)")
        FOLDER.mkdir(parents=True, exist_ok=True)
        command = ["npm", "pack", f"axe-core@{VERSION}", "--pack-destination", str(FOLDER)]
        subprocess.run(command, check=True, capture_output=True)
    found = base64.b64encode(hashlib.sha512(PACKED.read_bytes()).digest()).decode()
    assert found == SHA512, f"{PACKED} is not axe-core {VERSION}; remove it"
    with tarfile.open(PACKED) as packed:
        script = packed.extractfile(MEMBER)
        assert script is not None
        return script.read().decode()
