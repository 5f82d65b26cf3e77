"""What is kept is backed up while it is written to, and restored: deploy/README.md says how."""

import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import numpy as np

from tests.feedback.places import File, Place, Served, read, tables
from tests.feedback.test_database import capture, label


def backed_up(place: Place, folder: Path) -> Place:
    """A copy somewhere else."""
    if isinstance(place, File):
        copy = folder / "copy.db"
        with closing(sqlite3.connect(place.path)) as connection:
            connection.execute(f"VACUUM INTO '{copy}'")
        return File(copy)
    assert isinstance(place, Served)
    restored = Served(place.cluster, f"{place.name}_restored")
    programs, dump = place.cluster.programs, folder / "kept.dump"
    place.cluster.create(restored.name)
    subprocess.run(
        [programs / "pg_dump", "--format", "custom", "--file", dump, place.url], check=True
    )
    subprocess.run([programs / "pg_restore", "--dbname", restored.url, dump], check=True)
    return restored


def test_a_copy_holds_all_that_was_kept_and_goes_on(place: Place, tmp_path: Path) -> None:
    ours = tables(place)
    ours.write([capture("one"), capture("three", 3)])
    ours.label(label("three", 9, 2))
    copy = backed_up(place, tmp_path)
    before, after = read(place), read(copy)
    for name in ("images", "labels", "request_ids"):
        assert np.array_equal(getattr(before, name), getattr(after, name))
    assert len(after.images) == 4
    theirs = tables(copy)
    theirs.write([capture("after")])
    theirs.label(label("one", 5, 0))
    assert (len(read(copy).images), len(read(place).images)) == (5, 4)
    ours.close()
    theirs.close()
