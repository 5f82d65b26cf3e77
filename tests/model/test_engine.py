"""The engine and the network are one function: what is computed in two ways is compared.

The network is computed in float64, so that only the engine's rounding is in the difference.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from model import engine as engines
from model.architecture import FRAME_SIDE, Architecture, mlp
from model.engine import Engine
from model.network import PIXEL_MAX, Network
from model.windows import output_side
from tests.helpers import PROPERTY, table
from tests.training.networks import ARCHITECTURES, drawn

TOLERANCE = 1e-5  # of the largest logit, or of 1 where all are smaller

FLATTEN = {"type": "flatten"}
DENSE = {"type": "dense", "outputs": 10}
NORM = {"type": "batch_norm", "epsilon": 0.01}


def network(*outline: dict[str, Any]) -> Network:
    return drawn(Architecture.from_outline([*outline]))


def convolution(**fields: object) -> dict[str, Any]:
    return {"type": "conv2d", "outputs": 3, "kernel": 3, **fields}


def pool(kind: str, size: int, stride: int) -> dict[str, Any]:
    return {"type": f"{kind}_pool2d", "size": size, "stride": stride}


def elementwise(kind: str, **fields: object) -> dict[str, Any]:
    return {"type": kind, **fields}


PADDED = network(
    convolution(kernel=5, padding=2, stride=2, biased=False),
    NORM,
    elementwise("relu"),
    convolution(padding=1),
    elementwise("leaky_relu", slope=0.2),
    pool("max", 2, 2),
    FLATTEN,
    DENSE,
)
NETWORKS = {
    **{name: drawn(architecture) for name, architecture in ARCHITECTURES.items()},
    "padded convolutions": PADDED,
    "no padding, a row left over": network(convolution(stride=2), FLATTEN, DENSE),
    "padding on even kernels": network(convolution(kernel=4, padding=2), FLATTEN, DENSE),
    "windows with gaps": network(convolution(kernel=2, stride=5, padding=1), FLATTEN, DENSE),
    "kernels of one pixel": network(convolution(kernel=1), NORM, FLATTEN, DENSE),
    "a kernel as large as the frame": network(convolution(kernel=28, outputs=10), FLATTEN),
    "batch norm of pixels in images": network(FLATTEN, NORM, DENSE),
    "batch norm after a dense layer": network(DENSE, NORM, elementwise("relu"), DENSE, NORM),
    "batch norm after an activation": network(
        convolution(padding=1), elementwise("relu"), NORM, convolution(padding=1), FLATTEN, DENSE
    ),
    "batch norm after a pool": network(convolution(), pool("max", 3, 2), NORM, FLATTEN, DENSE),
    "batch norm after flatten": network(convolution(stride=4), FLATTEN, NORM, DENSE),
    "batch norm after one pixel was flattened": network(
        convolution(kernel=28), FLATTEN, NORM, DENSE
    ),
    "batch norm after a depthwise convolution": network(
        convolution(), {"type": "depthwise_conv2d", "kernel": 3, "padding": 1}, NORM, FLATTEN, DENSE
    ),
    "overlapping pools": network(pool("max", 3, 1), pool("average", 2, 1), FLATTEN, DENSE),
    "pools of one pixel": network(pool("max", 1, 1), pool("average", 1, 3), FLATTEN, DENSE),
    "pooled to rows": network(convolution(), {"type": "global_average_pool"}, NORM, DENSE),
    "an activation first": network(elementwise("tanh"), convolution(padding=1), FLATTEN, DENSE),
    "activations on end": network(
        DENSE, *map(elementwise, ["sigmoid", "gelu", "tanh", "leaky_relu"]), DENSE
    ),
}


def frames(count: int, seed: int = 0) -> NDArray[np.uint8]:
    shape = (count, FRAME_SIDE, FRAME_SIDE)
    return np.random.default_rng(seed).integers(0, PIXEL_MAX, shape, np.uint8, endpoint=True)


def expected(network: Network, images: NDArray[np.uint8]) -> NDArray[Any]:
    return network.logits(images.reshape(len(images), -1) / PIXEL_MAX)


def assert_agree(logits: NDArray[Any], reference: NDArray[Any]) -> None:
    assert logits.shape == reference.shape
    assert logits.dtype == np.float32
    scale = max(1.0, float(np.abs(reference).max(initial=0)))
    np.testing.assert_allclose(logits, reference, rtol=0, atol=TOLERANCE * scale)


# -- the same function ------------------------------------------------------


@table("network", NETWORKS)
def test_the_engine_gives_the_logits_of_the_network(network: Network) -> None:
    engine = Engine(network)
    for count in (1, 3, 5):  # a chunk of its own, one not quite full, and two
        assert_agree(engine.logits(frames(count)), expected(network, frames(count)))


@st.composite
def outlines(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Any layers in any order that fit, on images and then on rows; their sizes are small."""
    outline, side, images = [], FRAME_SIDE, draw(st.booleans())
    for _ in range(draw(st.integers(0, 6)) if images else 0):
        layer = draw(_image_layers(side))
        side = output_side(
            side,
            layer.get("kernel", layer.get("size", 1)),
            layer.get("stride", 1),
            layer.get("padding", 0),
        )
        outline.append(layer)
    if images:
        outline.append(draw(st.sampled_from([FLATTEN, {"type": "global_average_pool"}])))
    rows = st.one_of(_unchanged(), st.builds(lambda n: {**DENSE, "outputs": n}, st.integers(1, 9)))
    return [
        *outline,
        *draw(st.lists(rows, max_size=4)),
        DENSE,
        *draw(st.lists(_unchanged(), max_size=2)),
    ]


def _unchanged() -> st.SearchStrategy[dict[str, Any]]:
    """Layers that change no shape."""
    kinds = ["relu", "leaky_relu", "sigmoid", "tanh", "gelu"]
    return st.sampled_from([*map(elementwise, kinds), NORM, elementwise("dropout", rate=0.5)])


@st.composite
def _image_layers(draw: st.DrawFn, side: int) -> dict[str, Any]:
    kind = draw(st.sampled_from(["conv2d", "depthwise_conv2d", "max_pool2d", "average_pool2d", ""]))
    if not kind:
        return draw(_unchanged())
    size, stride = draw(st.integers(1, min(side, 5))), draw(st.integers(1, 3))
    if kind.endswith("pool2d"):
        return {"type": kind, "size": size, "stride": stride}
    padding, biased = draw(st.integers(0, size // 2)), draw(st.booleans())
    layer = {"type": kind, "kernel": size, "stride": stride, "padding": padding, "biased": biased}
    return layer | ({"outputs": draw(st.integers(1, 5))} if kind == "conv2d" else {})


@PROPERTY
@given(outlines(), st.sampled_from([1, 2, 3, 7, 9]), st.integers(0, 99))
def test_the_engine_gives_the_logits_of_any_network(
    outline: list[dict[str, Any]], count: int, seed: int
) -> None:
    network = drawn(Architecture.from_outline(outline), seed)
    assert_agree(
        Engine(network).logits(frames(count, seed)), expected(network, frames(count, seed))
    )


@table("network", {"of images": PADDED, "of rows": drawn(mlp(784, 8, 10))})
def test_batches_may_have_any_size(network: Network) -> None:
    engine, images = Engine(network), frames(135)
    reference = expected(network, images)
    for count in (*range(36), 47, 48, 63, 64, 65, 97, 100, 127, 129, 135):
        assert_agree(engine.logits(images[:count]), reference[:count])


def test_a_network_of_any_width_is_computed_in_what_memory_there_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engines, "CHUNK_BYTES", 1)
    assert_agree(Engine(PADDED).logits(frames(5)), expected(PADDED, frames(5)))


# -- in memory of its own ---------------------------------------------------


@table("network", {"of images": PADDED, "of norms": NETWORKS["batch norm after an activation"]})
def test_no_call_sees_another(network: Network) -> None:
    engine = Engine(network)
    batches = [frames(count, seed=count) for count in (1, 3, 4, 1, 6, 3)]
    alone = [Engine(network).logits(batch) for batch in batches]
    for _ in range(3):
        for batch, logits in zip(batches, alone, strict=True):
            np.testing.assert_array_equal(engine.logits(batch), logits)
        engine.logits(np.full((4, FRAME_SIDE, FRAME_SIDE), PIXEL_MAX, np.uint8))


@pytest.mark.parametrize("count", [1, 4, 70])
def test_logits_are_the_callers_own(count: int) -> None:
    engine = Engine(PADDED)
    first = engine.logits(frames(count))
    kept = first.copy()
    second = engine.logits(frames(count, seed=1))
    np.testing.assert_array_equal(first, kept)
    first[:] = np.nan
    np.testing.assert_array_equal(engine.logits(frames(count, seed=1)), second)


def test_threads_may_call_at_once() -> None:
    engine, threads, rounds = Engine(PADDED), 4, 30
    batches = [frames(16, seed) for seed in range(threads)]
    alone = [Engine(PADDED).logits(batch) for batch in batches]
    together = Barrier(threads)

    def calls(batch: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        together.wait()
        return [engine.logits(batch) for _ in range(rounds)]

    with ThreadPoolExecutor(threads) as pool:
        for logits, answers in zip(alone, pool.map(calls, batches), strict=True):
            for answer in answers:
                np.testing.assert_array_equal(answer, logits)
    assert 1 <= len(engine._idle) <= threads


@table(
    "count, sizes",
    {
        "full": (4, [4]),
        "three quarters full": (6, [8]),
        "not so full: in two": (5, [1, 4]),
        "the rest three quarters full": (11, [4, 8]),
        "over the largest": (130, [2, 64]),
    },
)
def test_chunks_are_full_or_nearly(count: int, sizes: list[int]) -> None:
    engine = Engine(drawn(mlp(784, 10)))
    engine.logits(frames(count))
    assert planned(engine) == sizes


def test_memory_does_not_grow_with_the_sizes_that_were_asked_for() -> None:
    engine = Engine(drawn(mlp(784, 10)))
    for count in range(1, 140):
        engine.logits(frames(count))
    assert planned(engine) == [1, 2, 4, 8, 16, 32, 64]


def planned(engine: Engine) -> list[int]:
    [workspace] = engine._idle
    return sorted(workspace._plans)


def test_what_is_left_over_of_a_chunk_stays_as_it_was() -> None:
    network = drawn(Architecture.from_outline([NORM, DENSE]))
    network.parameters["batch_norm1.scale"][:] = 1e6
    engine = Engine(network)
    engine.logits(frames(4))
    for _ in range(20):  # to apply the norm to the fourth again each time would overflow
        assert_agree(engine.logits(frames(3)), expected(network, frames(3)))


def test_later_changes_of_the_network_are_not_seen() -> None:
    network = drawn(mlp(784, 10))
    engine, logits = Engine(network), Engine(network).logits(frames(2))
    network.parameters["dense1.weight"][:] = 0
    np.testing.assert_array_equal(engine.logits(frames(2)), logits)


# -- what it takes ----------------------------------------------------------


@table(
    "view",
    {
        "every second": lambda images: images[::2],
        "backwards": lambda images: images[::-1, ::-1],
        "columns as rows": lambda images: images.transpose(0, 2, 1),
        "in another order": np.asfortranarray,
        "cut out": lambda images: np.pad(images, 3)[3:-3, 3:-3, 3:-3],
    },
)
@pytest.mark.parametrize("count", [1, 6])
def test_frames_may_lie_in_memory_as_they_like(
    view: Callable[[NDArray[np.uint8]], NDArray[np.uint8]], count: int
) -> None:
    images = frames(count)
    images.flags.writeable = False
    assert_agree(Engine(PADDED).logits(view(images)), expected(PADDED, view(images)))


@table(
    "images",
    {
        "floats": np.zeros((1, 28, 28), np.float32),
        "signed": np.zeros((1, 28, 28), np.int8),
        "rows": np.zeros((1, 784), np.uint8),
        "one frame": np.zeros((28, 28), np.uint8),
        "another side": np.zeros((1, 28, 27), np.uint8),
        "channels": np.zeros((1, 1, 28, 28), np.uint8),
    },
)
def test_what_are_no_frames_is_refused(images: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match=r"frames are \(N, 28, 28\) uint8, not"):
        Engine(PADDED).logits(images)
