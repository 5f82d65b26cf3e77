import numpy as np
import pytest

from training.streams import Stream, generator


def drawn(seed: int, stream: Stream, number: int = 0) -> bytes:
    return generator(seed, stream, number).bytes(16)


def test_a_stream_is_found_by_seed_name_and_number() -> None:
    assert drawn(7, Stream.SHUFFLE, 3) == drawn(7, Stream.SHUFFLE, 3)
    assert drawn(7, Stream.SHUFFLE) == drawn(7, Stream.SHUFFLE, 0)


def test_all_streams_and_their_parts_differ() -> None:
    found = {
        drawn(seed, stream, number) for seed in range(3) for stream in Stream for number in range(5)
    }
    assert len(found) == 3 * len(Stream) * 5


def test_what_one_stream_has_drawn_changes_no_other() -> None:
    before = drawn(7, Stream.DROPOUT)
    generator(7, Stream.SHUFFLE).random(1000)
    np.random.default_rng(7).random(1000)
    assert drawn(7, Stream.DROPOUT) == before


def test_the_numbers_of_the_streams_are_part_of_what_a_recipe_computes() -> None:
    assert {stream.name: stream.value for stream in Stream} == {
        "ROWS": 0,
        "SPLIT": 1,
        "PARAMETERS": 2,
        "SHUFFLE": 3,
        "AUGMENTATION": 4,
        "DROPOUT": 5,
        "GOLDEN": 6,
        "OUTLIERS": 7,
    }
    assert generator(7, Stream.SHUFFLE, 3).integers(1000, size=3).tolist() == [
        int(value) for value in np.random.default_rng([7, 3, 3]).integers(1000, size=3)
    ]


@pytest.mark.parametrize("seed", [0, 10**20])
def test_any_seed_of_a_recipe_will_do(seed: int) -> None:
    assert len(drawn(seed, Stream.ROWS)) == 16
