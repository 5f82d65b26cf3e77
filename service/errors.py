"""Everything a request can be refused for; ``problems.py`` has what the client is told.

RequestError
├── BodyError               the bytes of the body
│   ├── EmptyBody
│   ├── IncompleteBody      shorter than announced, or malformed chunks
│   ├── BodyTooLarge
│   ├── ReadTimeout
│   ├── CorruptCoding       not the gzip or deflate that it is said to be
│   └── InvalidMultipart
├── MediaTypeError          what the body is said to be, or the answer is to be
│   ├── MissingContentType
│   ├── UnsupportedMediaType
│   ├── UnsupportedCoding
│   └── NotAcceptable
├── JSONError               the document
│   ├── InvalidJSON
│   ├── DuplicateKey
│   ├── NestedTooDeeply
│   ├── WrongType
│   ├── MissingField
│   ├── UnknownField
│   ├── AmbiguousBody
│   └── InvalidBase64
├── PixelError              the numbers
│   ├── WrongPixelCount
│   ├── RaggedRows
│   ├── PixelNotANumber
│   ├── PixelNotFinite
│   └── PixelOutOfRange
├── ArrayError              the numbers, as bytes
│   ├── InvalidNpy
│   ├── WrongDtype
│   └── WrongShape
├── TensorError             tensors of the Open Inference Protocol
│   ├── UnknownTensor
│   ├── RepeatedOutput
│   ├── WrongDatatype
│   ├── WrongDataSize
│   ├── WrongHeaderLength
│   └── WrongClassification
├── BatchError
│   ├── EmptyBatch
│   ├── BatchTooLarge
│   └── NotOneImage
├── ImageError              the picture
│   ├── UnreadableImage
│   ├── ImageTooLarge
│   └── NotAFrame
├── QueryError              what stands after the question mark
│   ├── UnknownChoice
│   ├── OutOfRange
│   ├── UnknownParameter
│   └── RepeatedParameter
├── AccessError             who asks, and how much at once
│   ├── Unauthorized
│   ├── Forbidden
│   ├── RateLimited
│   └── Overloaded
├── ProtocolError           the request itself
│   ├── MalformedRequest
│   ├── HeaderTooLarge
│   └── TargetTooLong
├── FeedbackError           what an image is said to have been
│   ├── InvalidFeedback
│   ├── UnknownPrediction
│   └── FeedbackUnavailable
└── RouteError              the address
    ├── NotFound
    ├── UnknownModel
    ├── UnknownModelVersion
    ├── UnusableModelVersion
    ├── OnlyModel
    └── MethodNotAllowed

Every message names the field and says what to send instead. None holds a
traceback, a path of the server or a library's words.
"""

from collections.abc import Mapping


class RequestError(Exception):
    """A request that cannot be answered as it is: what is wrong, and with which field.

    headers: what the answer has beside the usual fields.
    """

    def __init__(self, field: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.field = field
        self.detail = detail
        self.headers = headers or {}


class BodyError(RequestError):
    """The bytes of the body."""


class EmptyBody(BodyError):
    """Nothing was sent."""


class IncompleteBody(BodyError):
    """The body is shorter than announced, or its chunks are malformed."""


class BodyTooLarge(BodyError):
    """More bytes than the limit."""


class ReadTimeout(BodyError):
    """The client fell silent within its request."""


class CorruptCoding(BodyError):
    """Not the gzip or deflate that it is said to be."""


class InvalidMultipart(BodyError):
    """Not a form with the boundary that it is said to have."""


class MediaTypeError(RequestError):
    """What the body is said to be, or the answer is to be."""


class MissingContentType(MediaTypeError):
    """The body is not said to be anything."""


class UnsupportedMediaType(MediaTypeError):
    """The body is said to be something that is not read here."""


class UnsupportedCoding(MediaTypeError):
    """A Content-Encoding that is not read here."""


class NotAcceptable(MediaTypeError):
    """An answer is wanted that is not written here."""


class JSONError(RequestError):
    """The JSON document."""


class InvalidJSON(JSONError):
    """Not JSON (RFC 8259)."""


class DuplicateKey(JSONError):
    """An object names a key twice."""


class NestedTooDeeply(JSONError):
    """Lists in lists beyond any sense."""


class WrongType(JSONError):
    """A value of another JSON type than the field has."""


class MissingField(JSONError):
    """No field that could be read."""


class UnknownField(JSONError):
    """A field that has no meaning here."""


class AmbiguousBody(JSONError):
    """Two fields of which only one may be sent."""


class InvalidBase64(JSONError):
    """A text that is to be base64, and is not."""


class PixelError(RequestError):
    """The numbers of an image."""


class WrongPixelCount(PixelError):
    """Not 784 numbers."""


class RaggedRows(PixelError):
    """Not 28 rows of 28."""


class PixelNotANumber(PixelError):
    """A boolean, a string, null, a list or an object in a pixel's place."""


class PixelNotFinite(PixelError):
    """NaN or infinity, which no JSON has but some writers write."""


class PixelOutOfRange(PixelError):
    """Below 0 or above 255."""


class ArrayError(RequestError):
    """Numbers as bytes, and what is said of them."""


class InvalidNpy(ArrayError):
    """Not a file of NumPy's format, or not a whole one."""


class WrongDtype(ArrayError):
    """Numbers of a type that no pixels have."""


class WrongShape(ArrayError):
    """An array of a shape that is no images."""


class TensorError(RequestError):
    """A tensor of the Open Inference Protocol: what is said of it, and its bytes."""


class UnknownTensor(TensorError):
    """The model has no input, or no output, of this name."""


class RepeatedOutput(TensorError):
    """An output is asked for twice."""


class WrongDatatype(TensorError):
    """A datatype that the input does not have, or a value that its datatype does not have."""


class WrongDataSize(TensorError):
    """More or fewer values or bytes than the tensor's shape has, or than are said to be there."""


class WrongHeaderLength(TensorError):
    """What is said to be the length of the JSON in front of the tensors cannot be."""


class WrongClassification(TensorError):
    """Classes are asked of an output that has none, or more of them than there are."""


class BatchError(RequestError):
    """The number of images."""


class EmptyBatch(BatchError):
    """No image at all."""


class BatchTooLarge(BatchError):
    """More images than the limit."""


class NotOneImage(BatchError):
    """Several images where one is answered at a time."""


class ImageError(RequestError):
    """An encoded picture."""


class UnreadableImage(ImageError):
    """Truncated, damaged, or not a picture of the format it is said to be."""


class ImageTooLarge(ImageError):
    """More pixels than the limit, as its header says."""


class NotAFrame(ImageError):
    """Not 28x28 pixels, and not to be normalized."""


class QueryError(RequestError):
    """What stands after the question mark of the address."""


class UnknownChoice(QueryError):
    """A parameter has a value that is none of its choices."""


class OutOfRange(QueryError):
    """A parameter is not a whole number within its range."""


class UnknownParameter(QueryError):
    """A parameter that has no meaning here."""


class RepeatedParameter(QueryError):
    """A parameter that is said more than once."""


class AccessError(RequestError):
    """Who asks, and how much at once."""


class Unauthorized(AccessError):
    """A key is needed, and none that is valid was sent."""


class Forbidden(AccessError):
    """More than the sender may do."""


class RateLimited(AccessError):
    """More requests of one client than it may send in this time."""


class Overloaded(AccessError):
    """More work at once than the limit."""


class ProtocolError(RequestError):
    """The request itself, before its body."""


class MalformedRequest(ProtocolError):
    """Not HTTP/1.1 (RFC 9112)."""


class HeaderTooLarge(ProtocolError):
    """More header bytes than the limit."""


class TargetTooLong(ProtocolError):
    """A longer path and query than the limit."""


class FeedbackError(RequestError):
    """What an image is said to have been."""


class InvalidFeedback(FeedbackError):
    """No label, or not of one image."""


class UnknownPrediction(FeedbackError):
    """Nothing is kept of the image."""


class FeedbackUnavailable(FeedbackError):
    """What is kept cannot be reached now."""


class RouteError(RequestError):
    """The address of the request."""


class NotFound(RouteError):
    """Nothing is here."""


class UnknownModel(RouteError):
    """No model of this name."""


class UnknownModelVersion(RouteError):
    """No model of this version is there."""


class UnusableModelVersion(RouteError):
    """The file of this version is damaged, or not signed where it has to be: it is not served."""


class OnlyModel(RouteError):
    """The model to be unloaded is all that is served."""


class MethodNotAllowed(RouteError):
    """Something is here, but not for this method."""
