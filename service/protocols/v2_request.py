"""Requests of the Open Inference Protocol: bytes to images, and what is wanted of them.

Sources: the protocol's REST specification (kserve/open-inference-protocol, version 2),
and Triton's binary tensor data and classification extensions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from model.architecture import CLASSES
from service import embedded, errors, images, pixels
from service.batches import Batch, check_count, place
from service.documents import JSON_TYPES, kind, parse_object
from service.limits import Limits
from service.protocols import tensors
from service.protocols.v2_metadata import INPUTS, OUTPUTS

HEADER_LENGTH = "Inference-Header-Content-Length"

EXPECTED = (
    'send {"inputs": [{"name": "image", "datatype": "UINT8", "shape": [1, 28, 28], "data": [...]}]}'
)

MAX_AXES = 8  # more than any shape that is read here
MAX_SIDE = 2**63 - 1  # sides are INT64

# A body that is nothing but one image, by its size in bytes.
RAW_DATATYPES = {
    pixels.PIXELS * tensors.DTYPES[datatype].itemsize: datatype
    for datatype in INPUTS["image"].datatypes
}

Value = TypeVar("Value")


@dataclass(frozen=True)
class Output:
    """An output as it is wanted: behind the JSON or in it; as classes, where there are any."""

    name: str
    binary: bool
    classes: int = 0


@dataclass(frozen=True)
class Request:
    """A request that was read; ``id`` is the client's name for it."""

    batch: Batch
    outputs: Sequence[Output]
    id: str | None = None


def read(body: bytes, header_length: str | None, limits: Limits) -> Request:
    """The request in a body whose JSON ends where the header ``HEADER_LENGTH`` says, if it does.

    Raises RequestError, which names what is at fault.
    """
    if not body:
        raise errors.EmptyBody("body", f"the body is empty; {EXPECTED}")
    length = _header_length(header_length, len(body))
    if length == 0:
        outputs = [Output(name, binary=True) for name in OUTPUTS]
        return Request(_raw(body, limits), outputs)
    document = parse_object(body[:length], EXPECTED)
    name, outputs = _optional(document, "id", str), _outputs(document)
    return Request(_batch(document, memoryview(body)[length:], limits), outputs, name)


def _header_length(said: str | None, body_length: int) -> int:
    """How many bytes of the body are JSON; all, where nothing is said."""
    if said is None:
        return body_length
    is_number = said.isascii() and said.isdecimal()
    if not is_number or len(said) > len(str(body_length)) or int(said) > body_length:
        raise errors.WrongHeaderLength(
            HEADER_LENGTH,
            f"{HEADER_LENGTH} is not the length of a part of the body, which has {body_length} "
            "bytes; send how many of them are JSON",
        )
    return int(said)


def _raw(body: bytes, limits: Limits) -> Batch:
    """The one image that a body is, without any JSON: an encoded file or 784 numbers."""
    if images.recognized(body):
        return Batch([images.decode(body, limits.max_image_pixels)], "body")
    datatype = RAW_DATATYPES.get(len(body))
    if datatype is None:
        sizes = " or ".join(f"{size} ({name})" for size, name in RAW_DATATYPES.items())
        raise errors.WrongDataSize(
            "body",
            f"the body has {len(body)} bytes and is no picture; with {HEADER_LENGTH}: 0, "
            f"send an encoded file or {sizes} bytes",
        )
    array = tensors.numbers_from_bytes(body, [pixels.PIXELS], datatype, "body")
    return Batch(pixels.from_array(array, "body"), "body")


def _outputs(document: Mapping[str, Any]) -> list[Output]:
    """The outputs that are wanted, in their order; all, where none is named."""
    parameters = _optional(document, "parameters", dict) or {}
    binary = _optional(parameters, "binary_data_output", bool, "parameters") or False
    wanted = _optional(document, "outputs", list)
    if not wanted:
        return [Output(name, binary) for name in OUTPUTS]
    outputs: dict[str, Output] = {}
    for index, value in enumerate(wanted):
        here = place("outputs", index)
        output = _output(value, here, binary=binary)
        if output.name in outputs:
            raise errors.RepeatedOutput(
                here, f"{here} asks for {output.name} again; ask for it once"
            )
        outputs[output.name] = output
    return list(outputs.values())


def _output(value: object, here: str, *, binary: bool) -> Output:
    output = _object(value, here)
    name = _name(output, here, OUTPUTS)
    parameters = _optional(output, "parameters", dict, here) or {}
    within = f"{here}.parameters"
    own = _optional(parameters, "binary_data", bool, within)
    classes = _optional(parameters, "classification", int, within)
    if classes is not None and (name != "probabilities" or not 1 <= classes <= CLASSES):
        field = f"{within}.classification"
        raise errors.WrongClassification(
            field, f"{field} cannot be; ask for 1 to {CLASSES} classes of probabilities"
        )
    return Output(name, binary if own is None else own, classes or 0)


def _batch(document: Mapping[str, Any], behind: memoryview, limits: Limits) -> Batch:
    """The images of the only input; ``behind`` is what follows the JSON."""
    inputs = _required(document, "inputs", list)
    if len(inputs) != 1:
        raise errors.AmbiguousBody(
            "inputs", f"inputs has {len(inputs)} tensors; send one of {' and '.join(INPUTS)}"
        )
    here = place("inputs", 0)
    tensor = _object(inputs[0], here)
    name = _name(tensor, here, INPUTS)
    datatype = _required(tensor, "datatype", str, here)
    if datatype not in INPUTS[name].datatypes:
        field = f"{here}.datatype"
        raise errors.WrongDatatype(
            field, f"{field} is none that {name} has; send {' or '.join(INPUTS[name].datatypes)}"
        )
    shape = _shape(tensor, here)
    data = _data(tensor, behind, here)
    if name == "image":
        return _pixels(data, shape, datatype, here, limits)
    return _pictures(data, shape, here, limits)


def _shape(tensor: Mapping[str, Any], within: str) -> list[int]:
    shape = _required(tensor, "shape", list, within)
    if len(shape) > MAX_AXES or not all(type(s) is int and 0 <= s <= MAX_SIDE for s in shape):
        field = f"{within}.shape"
        raise errors.WrongShape(
            field, f"{field} is no list of a few sizes; send whole numbers, such as [1, 28, 28]"
        )
    return shape


def _data(tensor: Mapping[str, Any], behind: memoryview, within: str) -> list[Any] | memoryview:
    """The values of the only input: a list, or all the bytes behind the JSON."""
    parameters = _optional(tensor, "parameters", dict, within) or {}
    size = _optional(parameters, "binary_data_size", int, f"{within}.parameters")
    field = f"{within}.parameters.binary_data_size"
    if size is not None and "data" in tensor:
        raise errors.AmbiguousBody(
            f"{within}.data", f"{within}.data and {field} are there together; send one of them"
        )
    if size is None and not behind:
        return _required(tensor, "data", list, within)
    if size != len(behind):
        raise errors.WrongDataSize(
            field,
            f"{field} is {'missing' if size is None else 'not right'}: behind the JSON are "
            f"{len(behind)} bytes; send both sizes, and the JSON's as {HEADER_LENGTH}",
        )
    return behind


def _pixels(
    data: list[Any] | memoryview, shape: Sequence[int], datatype: str, here: str, limits: Limits
) -> Batch:
    count = pixels.split(shape, here)
    if count is not None:
        check_count(count, here, limits.max_batch)
    several = count is not None
    field = f"{here}.data"
    if isinstance(data, memoryview):
        array = tensors.numbers_from_bytes(data, shape, datatype, field)
    else:
        array = tensors.numbers_from_json(data, shape, datatype, field, several=several)
    return Batch(pixels.from_array(array, field), field, several)


def _pictures(
    data: list[Any] | memoryview, shape: Sequence[int], here: str, limits: Limits
) -> Batch:
    if len(shape) != 1:
        raise errors.WrongShape(
            f"{here}.shape", f"{here}.shape has {len(shape)} sizes; send [N] for N encoded files"
        )
    [count] = shape
    check_count(count, here, limits.max_batch)
    field, most = f"{here}.data", limits.max_image_pixels
    if isinstance(data, memoryview):
        files = enumerate(tensors.elements_from_bytes(data, count, field))
        pictures = [images.decode(file, most, field=place(field, index)) for index, file in files]
    else:
        texts = enumerate(tensors.flatten(data, shape, field))
        pictures = [embedded.picture(text, place(field, index), most) for index, text in texts]
    return Batch(pictures, field, several=True)


def _name(tensor: Mapping[str, Any], within: str, known: Mapping[str, object]) -> str:
    name = _required(tensor, "name", str, within)
    if name not in known:
        field = f"{within}.name"
        raise errors.UnknownTensor(field, f"{field} is not known; send {' or '.join(known)}")
    return name


def _object(value: object, here: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise errors.WrongType(here, f"{here} is {kind(value)}; send an object")
    return value


def _required(of: Mapping[str, Any], name: str, wanted: type[Value], within: str = "") -> Value:
    """A field of an object; raises MissingField or WrongType."""
    value = _optional(of, name, wanted, within)
    if value is None:
        here = _path(within, name)
        expected = f"send {_words(wanted)}" if within else EXPECTED
        raise errors.MissingField(here, f"{here} is missing; {expected}")
    return value


def _optional(
    of: Mapping[str, Any], name: str, wanted: type[Value], within: str = ""
) -> Value | None:
    """A field of an object, None where it is not there or null; raises WrongType."""
    value = of.get(name)
    if value is None or type(value) is wanted:
        return value
    here = _path(within, name)
    raise errors.WrongType(here, f"{here} is {kind(value)}; send {_words(wanted)}")


def _path(within: str, name: str) -> str:
    return f"{within}.{name}" if within else name


def _words(wanted: type) -> str:
    return "a whole number" if wanted is int else JSON_TYPES[wanted]
