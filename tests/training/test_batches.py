import contextlib
import itertools
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.helpers import ROOT, TINY_RECIPE, environment, table
from training.augmentation import augment
from training.batches import Ahead, Here, batches, outliers_to, source, steps_per_epoch
from training.config import AugmentationConfig, DataConfig, Recipe
from training.dataset import Digits
from training.errors import ProducerError
from training.outliers import outliers
from training.rows import NO_DIGIT
from training.streams import Stream, generator

AUGMENTED = replace(
    TINY_RECIPE, augmentation=AugmentationConfig(shift=2, elastic=2, blur=1, noise=0.1)
)
EXPOSED = replace(TINY_RECIPE, data=DataConfig(outliers=0.25))
ENDLESS = replace(AUGMENTED, epochs=10**6)

GONE_SECONDS = 30  # far beyond the time that a process takes to end


def numbered(count: int = 100) -> Digits:
    """Images whose first pixel is their number, and so is their label."""
    images = np.random.default_rng(0).integers(0, 256, (count, 28, 28), np.uint8)
    images[:, 0, 0] = np.arange(count) % 256
    return Digits(images, images[:, 0, 0] % 10)


def labels(found: Iterator[Digits]) -> list[int]:
    return [int(label) for batch in found for label in batch.labels]


def numbers(found: Iterator[Digits]) -> list[int]:
    return [int(number) for batch in found for number in batch.images[:, 0, 0]]


def assert_same(found: Iterator[Digits], expected: Iterator[Digits]) -> None:
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours.images, theirs.images)
        np.testing.assert_array_equal(ours.labels, theirs.labels)


# -- the batches --------------------------------------------------------------


@table(
    "images, batch_size, sizes",
    {
        "the last is short": (100, 32, [32, 32, 32, 4]),
        "the last is full": (96, 32, [32, 32, 32]),
        "fewer than a batch": (7, 32, [7]),
        "one by one": (3, 1, [1, 1, 1]),
        "all at once": (100, None, [100]),
    },
)
def test_an_epoch_has_so_many_batches(
    images: int, batch_size: int | None, sizes: list[int]
) -> None:
    recipe = replace(TINY_RECIPE, batch_size=batch_size)
    assert [len(batch) for batch in batches(numbered(images), recipe, 1)] == sizes
    assert steps_per_epoch(recipe, images) == len(sizes)


def test_an_epoch_has_every_image_once_with_its_label() -> None:
    digits = numbered()
    found = numbers(batches(digits, TINY_RECIPE, 1))
    assert found != sorted(found)
    assert sorted(found) == list(range(100))
    assert labels(batches(digits, TINY_RECIPE, 1)) == [number % 10 for number in found]


# -- outliers -----------------------------------------------------------------


@table(
    "share, digits, count", {"none": (0.0, 128, 0), "a fifth": (0.2, 128, 26), "few": (0.2, 2, 0)}
)
def test_outliers_are_a_share_of_the_digits(share: float, digits: int, count: int) -> None:
    recipe = replace(TINY_RECIPE, data=DataConfig(outliers=share))
    assert outliers_to(recipe, digits) == count


def test_outliers_join_every_batch_and_the_digits_stay_what_they_were() -> None:
    digits = numbered()
    found = list(batches(digits, EXPOSED, 1))
    assert [len(batch) for batch in found] == [40, 40, 40, 5]
    for batch, plain in zip(found, batches(digits, TINY_RECIPE, 1), strict=True):
        known = batch.labels != NO_DIGIT
        assert not known[: len(plain)].all()  # they do not stand at the end
        order = np.argsort(batch.images[known, 0, 0])
        expected = np.argsort(plain.images[:, 0, 0])
        np.testing.assert_array_equal(batch.images[known][order], plain.images[expected])
        np.testing.assert_array_equal(batch.labels[known][order], plain.labels[expected])


def test_outliers_are_those_of_their_stream_drawn_anew_for_each_batch_and_epoch() -> None:
    digits = numbered()
    rng = generator(EXPOSED.seed, Stream.OUTLIERS, 2)
    first = next(batches(digits, EXPOSED, 2))
    expected = outliers(8, digits.images, rng)
    strange = first.images[first.labels == NO_DIGIT]
    assert {image.tobytes() for image in strange} == {image.tobytes() for image in expected}
    others = [batch.images[batch.labels == NO_DIGIT] for batch in batches(digits, EXPOSED, 1)]
    drawn = [image.tobytes() for images in (strange, *others) for image in images]
    assert len(set(drawn)) == len(drawn)


def test_outliers_are_augmented_like_digits() -> None:
    rough = replace(EXPOSED, augmentation=AugmentationConfig(shift=3))
    plain, moved = next(batches(numbered(), EXPOSED, 1)), next(batches(numbered(), rough, 1))
    np.testing.assert_array_equal(plain.labels, moved.labels)
    strange = plain.labels == NO_DIGIT
    assert (plain.images[strange] != moved.images[strange]).any(axis=(1, 2)).all()


def test_the_order_is_the_seeds_and_the_epochs() -> None:
    digits = numbered()
    orders = [
        numbers(batches(digits, replace(TINY_RECIPE, seed=seed), epoch))
        for seed in (7, 8)
        for epoch in (1, 2, 3)
    ]
    assert len({tuple(order) for order in orders}) == len(orders)


def test_an_order_lasts_as_many_epochs_as_the_recipe_says() -> None:
    digits, recipe = numbered(), replace(TINY_RECIPE, shuffle_every=2)
    first, second, third, fourth = (numbers(batches(digits, recipe, n)) for n in (1, 2, 3, 4))
    assert first == second
    assert third == fourth
    assert first != third


def test_a_full_batch_is_the_digits_themselves() -> None:
    digits = numbered()
    (batch,) = batches(digits, replace(TINY_RECIPE, batch_size=None), 1)
    assert batch is digits


def test_batches_are_augmented_one_after_another_from_the_epochs_stream() -> None:
    rng = generator(7, Stream.AUGMENTATION, 2)
    expected = [
        Digits(augment(batch.images, AUGMENTED.augmentation, rng), batch.labels)
        for batch in batches(numbered(), TINY_RECIPE, 2)
    ]
    assert_same(batches(numbered(), AUGMENTED, 2), iter(expected))


def test_every_epoch_is_augmented_anew() -> None:
    full = replace(AUGMENTED, batch_size=None)
    (first,), (second,) = batches(numbered(), full, 1), batches(numbered(), full, 2)
    assert (first.images != second.images).any(axis=(1, 2)).all()
    np.testing.assert_array_equal(first.labels, numbered().labels)


# -- the second process -------------------------------------------------------


@pytest.mark.parametrize("first_epoch", [1, 2])
def test_ahead_gives_the_same_batches(first_epoch: int) -> None:
    recipe = replace(AUGMENTED, epochs=3, batch_size=48, data=DataConfig(outliers=0.2))
    digits = Digits(numbered(3000).images[::-1], numbered(3000).labels[::-1])  # in no plain order
    with Ahead(digits, recipe, first_epoch) as ahead:
        for epoch in range(first_epoch, 4):
            assert_same(ahead.epoch(epoch), batches(digits, recipe, epoch))


@table(
    "recipe, first_epoch, kind",
    {
        "augmented": (AUGMENTED, 2, Ahead),
        "with outliers": (EXPOSED, 2, Ahead),
        "as they are": (TINY_RECIPE, 1, Here),
        "all at once": (replace(AUGMENTED, batch_size=None), 1, Here),
        "all epochs done": (AUGMENTED, 3, Here),
    },
)
def test_a_second_process_works_where_there_is_work(
    recipe: Recipe, first_epoch: int, kind: type
) -> None:
    with source(numbered(), recipe, first_epoch) as found:
        assert type(found) is kind
        for epoch in range(first_epoch, recipe.epochs + 1):
            assert_same(found.epoch(epoch), batches(numbered(), recipe, epoch))


def test_epochs_come_in_order_and_to_their_ends() -> None:
    with Ahead(numbered(), AUGMENTED, 1) as ahead:
        with pytest.raises(ValueError, match="epoch 2 was asked for after 0 images of epoch 1"):
            next(ahead.epoch(2))
        next(ahead.epoch(1))
        with pytest.raises(ValueError, match="epoch 1 was asked for after 32 images of epoch 1"):
            next(ahead.epoch(1))


def producer() -> int:
    """The process that works ahead."""
    (child,) = multiprocessing.active_children()
    assert child.pid
    return child.pid


def descriptors() -> list[str]:
    """Open files, pipes included."""
    return sorted(path.name for path in Path("/proc/self/fd").iterdir())


def all_batches(ahead: Ahead) -> Iterator[Digits]:
    return itertools.chain.from_iterable(map(ahead.epoch, itertools.count(1)))


@pytest.mark.parametrize("read", [0, 3], ids=["before the first batch", "at work"])
def test_leaving_early_leaves_nothing_behind(read: int) -> None:
    with Ahead(numbered(), AUGMENTED, 1):
        pass  # the first to start leaves multiprocessing's tracker, for good
    before = descriptors()
    with Ahead(numbered(), ENDLESS, 1) as ahead:
        pid = producer()
        assert len(list(itertools.islice(all_batches(ahead), read))) == read
        assert len(descriptors()) > len(before)
    assert not Path(f"/proc/{pid}").exists()
    assert descriptors() == before


@pytest.mark.parametrize("read", [0, 3], ids=["before the first batch", "at work"])
def test_a_killed_producer_is_an_error(read: int) -> None:
    with Ahead(numbered(), ENDLESS, 1) as ahead:
        found = all_batches(ahead)
        assert len(list(itertools.islice(found, read))) == read
        os.kill(producer(), signal.SIGKILL)
        with pytest.raises(ProducerError, match=r"epoch \d+: .* killed by signal 9; .*--resume"):
            for _ in found:
                pass


# -- as a program -------------------------------------------------------------

PROGRAM = """
import os, resource, signal, time
import numpy as np
from tests.training.test_batches import ENDLESS, all_batches, numbered, producer
from training.batches import Ahead
from training.dataset import Digits
from training.errors import ProducerError
from training.outliers import outliers
from training.rows import NO_DIGIT
"""


@contextlib.contextmanager
def program(body: str) -> Iterator[subprocess.Popen[str]]:
    """A trainer of its own, and of its own process group, as a shell would start it.

    Its output ends when it and its producer have ended, for both have it open.
    """
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM + body],
        cwd=ROOT,
        env=environment({}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as trainer:
        try:
            yield trainer
        finally:
            with contextlib.suppress(ProcessLookupError):  # as it should be
                os.killpg(trainer.pid, signal.SIGKILL)


@table(
    "images, read",
    {"while it starts": (20, 0), "while it waits for a reader": (100, 1)},
)
def test_the_producer_of_a_killed_trainer_ends(images: int, read: int) -> None:
    body = f"""
with Ahead(numbered({images}), ENDLESS, 1) as ahead:
    started = [next(ahead.epoch(1)) for _ in range({read})]
    print(producer(), flush=True)
    time.sleep(600)
"""
    with program(body) as trainer:
        assert trainer.stdout
        assert int(trainer.stdout.readline()) > 0
        time.sleep(0.3 * read)  # let the pipe fill up
        trainer.kill()
        _, errors = trainer.communicate(timeout=GONE_SECONDS)
    assert errors == ""


@table(
    "images, read",
    {"while it starts": (20, 0), "while it waits for a reader": (100, 1)},
)
def test_ctrl_c_is_for_the_trainer_to_answer(images: int, read: int) -> None:
    body = f"""
signal.signal(signal.SIGINT, lambda *_: print("interrupted"))
with Ahead(numbered({images}), ENDLESS, 1) as ahead:
    found = all_batches(ahead)
    for _ in zip(range({read}), found):
        pass
    os.killpg(0, signal.SIGINT)
    for _ in zip(range(50), found):
        pass
"""
    with program(body) as trainer:
        assert trainer.communicate(timeout=GONE_SECONDS) == ("interrupted\n", "")


def test_a_producer_without_memory_is_an_error_without_a_traceback() -> None:
    body = """
resource.setrlimit(resource.RLIMIT_AS, (2**32, 2**32))
images = np.broadcast_to(np.uint8(0), (2**23, 28, 28))  # 6 GiB, were it copied
try:
    with Ahead(Digits(images, np.zeros(2**23, np.uint8)), ENDLESS, 1):
        pass
except ProducerError as error:
    print(error)
"""
    with program(body) as trainer:
        output, errors = trainer.communicate(timeout=GONE_SECONDS)
    assert "ran out of memory" in output
    assert errors == ""
