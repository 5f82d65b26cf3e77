"""All of MNIST from mirrors by real HTTP: its files, and who wrote its digits."""

import gzip
import io
import re
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.helpers import assert_one_line_error, run_module, table
from tests.server import free_port
from tests.training.mirrors import (
    BODY,
    NAME,
    OLD,
    SHORT,
    Answer,
    Behaviour,
    Mirror,
    StartMirror,
    broken_off,
    contents,
    stalled,
    status,
    whole,
)
from tests.training.stand_ins import (
    ARRAYS,
    ROWS,
    SERVED,
    STAND_IN,
    TRAIN,
    assert_all_fetched,
    changed,
    digest,
    idx_int,
    npz,
    packed,
    serving,
)
from training.dataset import FILES, WRITERS, Mnist, find_folder
from training.errors import DataError
from training.fetch import MIRRORS, PUBLISHED, Mirrors, fetch


def get(folder: Path, *mirrors: Mirror) -> str:
    """Fetch all stand-ins; returns what was printed."""
    stream = io.StringIO()
    urls = [mirror.url for mirror in mirrors]
    fetch(folder, urls, published=STAND_IN, limits=SHORT, stream=stream)
    return stream.getvalue()


def asked(mirror: Mirror) -> list[str]:
    """The files that a mirror was asked for."""
    return [path.rpartition("/")[2] for path, _ in mirror.asked]


# -- what is fetched --------------------------------------------------------


def test_mnist_is_fetched_and_then_its_writers(mirror: StartMirror, tmp_path: Path) -> None:
    server = mirror(serving())
    printed = get(tmp_path, server)
    assert asked(server) == list(SERVED)
    assert_all_fetched(tmp_path)
    assert printed.endswith(f"{tmp_path / WRITERS}: made and verified\n")


def test_the_same_bytes_are_made_every_time(mirror: StartMirror, tmp_path: Path) -> None:
    server = mirror(serving())
    for name in ("one", "two"):
        get(tmp_path / name, server)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    with zipfile.ZipFile(tmp_path / "one" / WRITERS) as archive:
        assert {entry.date_time[:3] for entry in archive.infolist()} == {(1980, 1, 1)}


def test_each_data_set_has_its_mirrors(mirror: StartMirror, tmp_path: Path) -> None:
    images, writers = mirror(serving()), mirror(serving())
    fetch(tmp_path, Mirrors([images.url], [writers.url]), published=STAND_IN, stream=io.StringIO())
    assert asked(images) == [f"{NAME}.gz"]
    assert asked(writers) == ["train.gz", "test.gz"]


def test_every_file_is_asked_for_by_its_published_name() -> None:
    assert list(PUBLISHED.mnist) == list(FILES.values())
    assert [part.name for part in PUBLISHED.qmnist] == [
        "qmnist-train-labels-idx2-int",
        "qmnist-test-labels-idx2-int",
    ]


def test_several_mirrors_are_known_and_all_are_encrypted() -> None:
    assert len(set(MIRRORS.mnist)) >= 3
    assert len(set(MIRRORS.qmnist)) >= 2
    for address in (*MIRRORS.mnist, *MIRRORS.qmnist):
        assert re.fullmatch(r"https://[a-z0-9./@-]+/", address)


# -- labels that cannot be had ----------------------------------------------


FAILURES: dict[str, tuple[Behaviour, str]] = {
    "not found": (status(404), "answered 404"),
    "a page": (whole(b"<html>Log in to the Wi-Fi</html>"), "something else"),
    "the plain file": (whole(idx_int(TRAIN)), "something else"),
    "a file that unpacks to 9 MB": (whole(gzip.compress(bytes(9_000_000), 9)), "something else"),
    "is too large": (whole(bytes(20_000)), "announced"),
    "breaks off": (broken_off(500, SERVED["train.gz"]), "broke off"),
    "stalls": (stalled(500, SERVED["train.gz"]), "timed out"),
    "another writer in the last row": (packed(changed(ROWS - 1, 2)), "something else"),
    "another series in the first row": (packed(changed(0, 1)), "something else"),
    "rows in another order": (packed(TRAIN[::-1]), "something else"),
    "columns in another order": (packed(TRAIN[:, ::-1]), "something else"),
    "a row too few": (packed(TRAIN[1:]), "something else"),
    "a row too many": (packed(np.vstack([TRAIN, TRAIN[:1]])), "something else"),
    "a last row that is cut off": (whole(gzip.compress(idx_int(TRAIN)[:-1])), "something else"),
    "something behind the rows": (whole(gzip.compress(idx_int(TRAIN) + b"!")), "something else"),
    "a column too few": (packed(TRAIN[:, :7]), "something else"),
    "columns as rows": (packed(TRAIN.T), "something else"),
    "the other byte order": (packed(TRAIN, "<i4"), "something else"),
    "the header of other numbers": (packed(TRAIN, code=0x0D), "something else"),
    "the labels of the other half": (whole(SERVED["test.gz"]), "something else"),
}


@table("failure", FAILURES)
def test_without_labels_mnist_stays_and_the_error_says_what_works(
    failure: tuple[Behaviour, str], mirror: StartMirror, tmp_path: Path
) -> None:
    server = mirror(serving(train=failure[0]))
    with pytest.raises(DataError) as caught:
        get(tmp_path, server)
    message = str(caught.value)
    assert message.isprintable()
    assert message.startswith(f"{tmp_path / WRITERS}: could not be made: ")
    for words in (
        f"{server.url}train.gz: ",
        failure[1],
        "by hand",
        "train without it",
        "at random",
    ):
        assert words in message
    found = contents(tmp_path)
    found.pop("train.gz.part", None)
    assert found == {f"{NAME}.gz": BODY}


@table("failure", FAILURES)
def test_labels_are_had_from_the_next_mirror(
    failure: tuple[Behaviour, str], mirror: StartMirror, tmp_path: Path
) -> None:
    get(tmp_path, mirror(serving(train=failure[0])), mirror(serving()))
    assert_all_fetched(tmp_path)


def test_half_of_the_labels_make_no_file(mirror: StartMirror, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"test\.gz: answered 404"):
        get(tmp_path, mirror(serving(test=status(404))))
    assert set(contents(tmp_path)) == {f"{NAME}.gz", "train.gz"}


def test_without_mnist_no_labels_are_asked_for(mirror: StartMirror, tmp_path: Path) -> None:
    server = mirror(serving(**{NAME: status(404)}))
    with pytest.raises(DataError, match=f"{NAME}.gz: no mirror gave it"):
        get(tmp_path, server)
    assert asked(server) == [f"{NAME}.gz"]


def test_a_directory_in_the_place_of_the_file_is_named(mirror: StartMirror, tmp_path: Path) -> None:
    (tmp_path / WRITERS).mkdir()
    with pytest.raises(DataError, match=re.escape(f"{WRITERS}: could not be made")):
        get(tmp_path, mirror(serving()))
    assert list((tmp_path / WRITERS).iterdir()) == []


# -- resuming ---------------------------------------------------------------


def test_the_next_run_asks_only_for_what_is_missing(mirror: StartMirror, tmp_path: Path) -> None:
    server = mirror(serving(test=broken_off(500, SERVED["test.gz"])))
    with pytest.raises(DataError):
        get(tmp_path, server)
    assert contents(tmp_path) == {
        f"{NAME}.gz": BODY,
        "train.gz": SERVED["train.gz"],
        "test.gz.part": SERVED["test.gz"][:500],
    }
    server = mirror(serving())
    get(tmp_path, server)
    assert server.asked == [("/mnist/test.gz", "bytes=500-")]
    assert_all_fetched(tmp_path)


def test_files_put_there_by_hand_need_no_mirror(tmp_path: Path) -> None:
    for name, body in SERVED.items():
        (tmp_path / name).write_bytes(body)
    get(tmp_path)
    assert_all_fetched(tmp_path)


# -- a writers.npz that is there already ------------------------------------

RIGHT: dict[str, bytes] = {
    "packed": npz(save=np.savez_compressed),
    "stored": npz(),
    "with more in it": npz(more=np.zeros(3)),
}


@table("standing", RIGHT)
def test_a_right_file_is_left_alone(standing: bytes, mirror: StartMirror, tmp_path: Path) -> None:
    (tmp_path / WRITERS).write_bytes(standing)
    before = (tmp_path / WRITERS).stat()
    server = mirror(serving())
    printed = get(tmp_path, server)
    assert asked(server) == [f"{NAME}.gz"]
    assert (tmp_path / WRITERS).stat() == before
    assert contents(tmp_path) == {f"{NAME}.gz": BODY, WRITERS: standing}
    assert printed.endswith(f"{tmp_path / WRITERS}: is there and right\n")


def beginning_with(data: bytes) -> bytes:
    """An archive whose first array is these bytes and 100 MB of zeros."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("train_writer.npy", data + bytes(100_000_000))
    return file.getvalue()


HEADER = b"\x93NUMPY\x01\x00\x76\x00{'descr': '<i2', 'fortran_order': False, 'shape': (300,), }"

LARGE: dict[str, bytes] = {
    "100 MB": beginning_with(b""),
    "a header of 100 MB": beginning_with(b"\x93NUMPY\x01\x00\xff\xff"),
    "100 MB behind the right header": beginning_with(HEADER.ljust(127) + b"\n"),
}

WRONG: dict[str, bytes] = {
    "no archive": OLD,
    "nothing": b"",
    "half a file": npz()[:1000],
    "a flipped bit": npz().replace(
        TRAIN[:, 2].astype("<i2").tobytes(), changed(0, 2)[:, 2].astype("<i2").tobytes()
    ),
    "an array is missing": npz(test_series=None),
    "another writer": npz(train_writer=changed(3, 2)[:, 2].astype(np.int16)),
    "another series": npz(train_series=changed(3, 1)[:, 1].astype(np.uint8)),
    "halves exchanged": npz(train_writer=ARRAYS["test_writer"], test_writer=ARRAYS["train_writer"]),
    "wider numbers": npz(train_writer=ARRAYS["train_writer"].astype(np.int32)),
    "the same bytes as other numbers": npz(train_writer=ARRAYS["train_writer"].view(np.uint16)),
    "another shape": npz(train_writer=ARRAYS["train_writer"].reshape(2, -1)),
    "pickled objects": npz(train_writer=np.array([None] * ROWS)),
    **LARGE,
}


@table("standing", WRONG)
def test_a_wrong_file_stands_until_its_successor_is_verified(
    standing: bytes, mirror: StartMirror, tmp_path: Path
) -> None:
    folder, link = tmp_path / "folder", tmp_path / "link"
    folder.mkdir()
    (folder / WRITERS).write_bytes(standing)
    link.hardlink_to(folder / WRITERS)
    seen = []

    def looking(answer: Answer) -> None:
        seen.append((folder / WRITERS).read_bytes())
        serving()(answer)

    get(folder, mirror(looking))
    assert seen == [standing] * 3
    assert link.read_bytes() == standing  # whoever has it open reads it to its end
    assert_all_fetched(folder)


def test_a_wrong_file_outlives_a_failure_which_says_to_remove_it(
    mirror: StartMirror, tmp_path: Path
) -> None:
    (tmp_path / WRITERS).write_bytes(OLD)
    with pytest.raises(DataError, match="remove it and train without it"):
        get(tmp_path, mirror(serving(test=packed(TRAIN))))
    assert (tmp_path / WRITERS).read_bytes() == OLD


@table("standing", LARGE)
def test_no_more_is_unpacked_than_the_arrays_have(standing: bytes, tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.gz").write_bytes(BODY)
    (tmp_path / WRITERS).write_bytes(standing)
    tracemalloc.start()
    with pytest.raises(DataError):
        get(tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000


# -- the real data ----------------------------------------------------------


def test_the_sums_are_those_of_mnist(mnist: Mnist) -> None:
    assert {name: mnist.digests[name] for name in FILES.values()} == {
        name: original.digest for name, original in PUBLISHED.mnist.items()
    }
    parts = (mnist.train.images, mnist.train.labels, mnist.test.images, mnist.test.labels)
    headers = (16, 8, 16, 8)
    assert [original.size for original in PUBLISHED.mnist.values()] == [
        header + part.size for header, part in zip(headers, parts, strict=True)
    ]


@pytest.fixture
def real_writers(mnist: Mnist) -> Path:
    """The real writers.npz; a test is skipped where it is not beside MNIST."""
    if mnist.writers is None:
        pytest.skip("writers.npz is not beside MNIST")
    return find_folder().resolve() / WRITERS


@table("index", {"train": 0, "test": 1})
def test_the_sums_are_those_of_the_real_writers(index: int, real_writers: Path) -> None:
    part = PUBLISHED.qmnist[index]
    with np.load(real_writers) as arrays:
        writers, series = arrays[f"{part.half}_writer"], arrays[f"{part.half}_series"]
    assert part.digest == digest(writers, series)
    # QMNIST's file is not here: one of its form, with what is known of it.
    file = np.zeros((60_000, 8), np.int32)
    file[: part.used, 1], file[: part.used, 2] = series, writers
    assert part.original.size == len(idx_int(file)) == 1_920_012
    assert part.original.is_right(idx_int(file))


def test_a_folder_that_has_it_all_needs_no_mirror(real_writers: Path, tmp_path: Path) -> None:
    link_real_files(tmp_path)
    (tmp_path / WRITERS).symlink_to(real_writers)
    fetch(tmp_path, [], stream=io.StringIO())
    assert all(path.is_symlink() for path in tmp_path.iterdir())


def test_the_command_fails_without_the_labels_and_keeps_mnist(mnist: Mnist, tmp_path: Path) -> None:
    assert len(mnist.train) == 60_000  # the real one is here
    link_real_files(tmp_path)
    nobody = f"http://127.0.0.1:{free_port()}"
    run = run_module("training", "data", "--folder", tmp_path, "--mirror", nobody)
    assert_one_line_error(run, str(tmp_path / WRITERS), "refused", "train without it", "at random")
    assert len(list(tmp_path.iterdir())) == len(FILES)


def link_real_files(folder: Path) -> None:
    """MNIST's four files, packed or plain as they are found."""
    for name in FILES.values():
        for path in find_folder().resolve().glob(f"{name}*"):
            (folder / path.name).symlink_to(path)
