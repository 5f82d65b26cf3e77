"""Take out of installed packages what serving has no use for: ``python trim.py FOLDER``.

A wheel brings its package's own test suite, what type checkers and compilers read, and the
symbols of its libraries for debuggers: a third of this image.
"""

import shutil
import struct
import sys
from pathlib import Path

FOLDERS = (
    "tests",
    "numpy/_core/include",  # C headers
    "numpy/_core/lib",
    "numpy/distutils",
    "numpy/f2py",
    "sqlalchemy/dialects/mssql",
    "sqlalchemy/dialects/mysql",
    "sqlalchemy/dialects/oracle",
    "sqlalchemy/ext",
    "sqlalchemy/orm",  # only its core is used here
    "sqlalchemy/testing",
)
FILES = ("*.pyi", "*.pyx", "*.pxd", "*.c", "*.h")

# Of AVIF, which is not among the pictures that are taken (5 MB), and of NumPy's tests.
LIBRARIES = ("_avif.*.so", "libavif-*.so*", "_simd.*.so", "_*_tests.*.so")

# The header of an ELF file of 64 bits and its segments (System V ABI, chapters 4 and 5).
ELF = b"\x7fELF\x02"
HEADER = struct.Struct("<16xHHIQQQIHHHHHH")
SEGMENT = struct.Struct("<IIQQQQQQ")
WITHOUT_SECTIONS = struct.pack("<Q", 0), struct.pack("<HHH", 0, 0, 0)
SECTIONS_AT, COUNTS_AT = 40, 58


def trim(folder: Path) -> None:
    """Remove the files, then cut the libraries."""
    for name in FOLDERS:
        for path in list(folder.glob(f"**/{name}")):
            shutil.rmtree(path)
    for pattern in (*FILES, *LIBRARIES):
        for path in list(folder.glob(f"**/{pattern}")):
            path.unlink()
    for path in folder.glob("**/*.so*"):
        cut(path)


def cut(library: Path) -> None:
    """Take off a shared library what follows its last segment.

    Sections are for linkers and debuggers; what is loaded is in segments. Nothing is cut where
    no segment is.
    """
    data = bytearray(library.read_bytes())
    if not data.startswith(ELF):
        return
    _, _, _, _, segments, _, _, _, size, count, _, _, _ = HEADER.unpack_from(data)
    found = [SEGMENT.unpack_from(data, segments + size * index) for index in range(count)]
    end = max((offset + length for _, _, offset, _, _, length, _, _ in found), default=len(data))
    data[SECTIONS_AT : SECTIONS_AT + 8], data[COUNTS_AT : COUNTS_AT + 6] = WITHOUT_SECTIONS
    library.write_bytes(data[:end])


if __name__ == "__main__":
    trim(Path(sys.argv[1]))
