import hashlib
from pathlib import Path

import numpy as np
import pytest

from tests.helpers import synthetic_mnist, table, write_idx_folder
from training.config import DataConfig
from training.dataset import Mnist, kaggle_rows, load, load_mnist
from training.errors import DataError
from training.rows import Digits, write_csv

MNIST = synthetic_mnist(train=100, test=40)


def source(name: str, *, shuffle: bool = False, test_rows: int = 30) -> DataConfig:
    return DataConfig(name, shuffle=shuffle, test_rows=test_rows)


def drawn(config: DataConfig, folder: Path, seed: int = 0) -> Mnist:
    return load(config, folder, np.random.default_rng(seed))


def written(folder: Path, digits: Digits = MNIST.train) -> Path:
    folder.mkdir(exist_ok=True)
    write_csv(folder / "rows.csv", digits)
    return folder


def pairs(digits: Digits) -> list[bytes]:
    """Each label with its image; the noise makes every one unlike the others."""
    return [
        bytes([label]) + image.tobytes()
        for label, image in zip(digits.labels.tolist(), digits.images, strict=True)
    ]


def assert_same(left: Digits, right: Digits) -> None:
    np.testing.assert_array_equal(left.images, right.images, strict=True)
    np.testing.assert_array_equal(left.labels, right.labels, strict=True)


def test_mnist_is_read_from_its_idx_files(tmp_path: Path) -> None:
    found = drawn(DataConfig(), write_idx_folder(tmp_path, MNIST))
    assert_same(found.train, MNIST.train)
    assert_same(found.test, MNIST.test)
    assert found.digests == load_mnist(tmp_path).digests


def test_the_last_rows_of_a_file_are_its_test_set(tmp_path: Path) -> None:
    found = drawn(source("rows.csv"), written(tmp_path))
    assert_same(found.train, MNIST.train.part(0, 70))
    assert_same(found.test, MNIST.train.part(70, 100))
    assert found.writers is None
    digest = hashlib.sha256((tmp_path / "rows.csv").read_bytes()).hexdigest()
    assert found.digests == {"rows.csv": digest}


def test_an_npz_file_is_a_source(tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", images=MNIST.train.images, labels=MNIST.train.labels)
    assert_same(drawn(source("rows.npz"), tmp_path).test, MNIST.train.part(70, 100))


def test_shuffled_rows_are_the_same_rows_in_the_order_of_the_seed(tmp_path: Path) -> None:
    def order(seed: int) -> list[bytes]:
        found = drawn(source("rows.csv", shuffle=True), written(tmp_path), seed)
        return pairs(found.train) + pairs(found.test)

    assert order(0) == order(0)
    assert order(0) != order(1)
    assert pairs(MNIST.train) not in (order(0), order(1))
    assert sorted(order(0)) == sorted(pairs(MNIST.train))


@pytest.mark.parametrize("shuffle", [False, True], ids=["as they are", "shuffled"])
def test_both_halves_are_views_of_one_array(shuffle: bool, tmp_path: Path) -> None:  # noqa: FBT001 - a case
    found = drawn(source("rows.csv", shuffle=shuffle), written(tmp_path))
    assert found.train.images.base is found.test.images.base is not None


def test_a_source_is_looked_for_here_before_it_is_in_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, folder = tmp_path / "here", tmp_path / "folder"
    written(folder)
    here.mkdir()
    monkeypatch.chdir(here)
    assert len(drawn(source("rows.csv"), folder).train) == 70
    written(here, MNIST.test)
    assert len(drawn(source("rows.csv"), folder).train) == 10
    assert len(drawn(source(str(folder / "rows.csv")), tmp_path).train) == 70


@table(
    "name, test_rows, words",
    {
        "nowhere": ("none.csv", 1, ["none.csv", "data.source"]),
        "another suffix": ("rows.parquet", 1, ["rows.parquet", ".csv.gz"]),
        "no row left": ("rows.csv", 100, ["rows.csv", "100 rows", "data.test_rows"]),
        "less than none": ("rows.csv", 101, ["rows.csv", "100 rows", "data.test_rows"]),
        "a folder in order": ("folder", 1, ["folder", "data.shuffle"]),
    },
)
def test_a_source_that_cannot_serve_is_named(
    name: str, test_rows: int, words: list[str], tmp_path: Path
) -> None:
    written(tmp_path)
    (tmp_path / "rows.parquet").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError) as caught:
        drawn(source(name, test_rows=test_rows), tmp_path)
    for word in words:
        assert word in str(caught.value)


# -- rows like Kaggle's -----------------------------------------------------


def test_kaggle_rows_are_drawn_from_both_halves_without_replacement() -> None:
    everything = pairs(MNIST.train) + pairs(MNIST.test)
    found = pairs(kaggle_rows(MNIST, 120, seed=0))
    assert len(set(found)) == 120
    places = [everything.index(pair) for pair in found]
    assert places != sorted(places)
    assert min(places) < len(MNIST.train) <= max(places)


def test_kaggle_rows_are_those_of_the_seed() -> None:
    first, again, other = (pairs(kaggle_rows(MNIST, 50, seed)) for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize("rows", [-1, 0, 141])
def test_no_more_rows_are_drawn_than_there_are(rows: int) -> None:
    assert len(kaggle_rows(MNIST, 140, seed=0)) == 140
    with pytest.raises(DataError, match=f"{rows} of 140 images.*1 to 140"):
        kaggle_rows(MNIST, rows, seed=0)
