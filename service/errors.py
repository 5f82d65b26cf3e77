"""Everything a request can be refused for, and the one table of what the client is told.

RequestError
├── BodyError               the bytes of the body
│   ├── EmptyBody
│   ├── IncompleteBody      shorter than announced, or malformed chunks
│   ├── BodyTooLarge
│   └── ReadTimeout
├── MediaTypeError          what the body is said to be
│   ├── MissingContentType
│   └── UnsupportedMediaType
├── JSONError               the document
│   ├── InvalidJSON
│   ├── DuplicateKey
│   ├── NestedTooDeeply
│   ├── WrongType
│   ├── MissingField
│   ├── UnknownField
│   └── AmbiguousBody
├── PixelError              the numbers
│   ├── WrongPixelCount
│   ├── RaggedRows
│   ├── PixelNotANumber
│   ├── PixelNotFinite
│   └── PixelOutOfRange
├── BatchError
│   ├── EmptyBatch
│   ├── BatchTooLarge
│   └── NotOneImage
├── ImageError              the picture
│   ├── UnreadableImage
│   ├── ImageTooLarge
│   └── NotAFrame
├── QueryError              what stands after the question mark
│   └── UnknownChoice
├── ProtocolError           the request itself
│   ├── MalformedRequest
│   ├── HeaderTooLarge
│   └── TargetTooLong
└── RouteError              the address
    ├── NotFound
    ├── UnknownModelVersion
    └── MethodNotAllowed

Every message names the field and says what to send instead. None holds a
traceback, a path of the server or a library's words.
"""

from dataclasses import dataclass
from http import HTTPStatus as Status

import orjson

PROBLEM_TYPE = "application/problem+json"


class RequestError(Exception):
    """A request that cannot be answered as it is: what is wrong, and with which field."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail)
        self.field = field
        self.detail = detail


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


class MediaTypeError(RequestError):
    """What the body is said to be."""


class MissingContentType(MediaTypeError):
    """The body is not said to be anything."""


class UnsupportedMediaType(MediaTypeError):
    """The body is said to be something that is not read here."""


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


class ProtocolError(RequestError):
    """The request itself, before its body."""


class MalformedRequest(ProtocolError):
    """Not HTTP/1.1 (RFC 9112)."""


class HeaderTooLarge(ProtocolError):
    """More header bytes than the limit."""


class TargetTooLong(ProtocolError):
    """A longer path and query than the limit."""


class RouteError(RequestError):
    """The address of the request."""


class NotFound(RouteError):
    """Nothing is here."""


class UnknownModelVersion(RouteError):
    """No model of this version is loaded."""


class MethodNotAllowed(RouteError):
    """Something is here, but not for this method."""


@dataclass(frozen=True)
class Problem:
    """What a client is told: HTTP status, stable code, human title (RFC 9457)."""

    status: Status
    code: str
    title: str


BAD_REQUEST = Status.BAD_REQUEST
TOO_LARGE = Status.REQUEST_ENTITY_TOO_LARGE
UNSUPPORTED = Status.UNSUPPORTED_MEDIA_TYPE
UNPROCESSABLE = Status.UNPROCESSABLE_ENTITY

INTERNAL = Problem(Status.INTERNAL_SERVER_ERROR, "internal_error", "The service failed")

TABLE: dict[type[RequestError], Problem] = {
    EmptyBody: Problem(BAD_REQUEST, "empty_body", "The body is empty"),
    IncompleteBody: Problem(BAD_REQUEST, "incomplete_body", "The body broke off"),
    BodyTooLarge: Problem(TOO_LARGE, "body_too_large", "Body too large"),
    ReadTimeout: Problem(Status.REQUEST_TIMEOUT, "read_timeout", "The request took too long"),
    MissingContentType: Problem(UNSUPPORTED, "missing_content_type", "No Content-Type"),
    UnsupportedMediaType: Problem(
        UNSUPPORTED, "unsupported_media_type", "Unsupported Content-Type"
    ),
    InvalidJSON: Problem(BAD_REQUEST, "invalid_json", "The body is not JSON"),
    DuplicateKey: Problem(BAD_REQUEST, "duplicate_key", "A key stands twice"),
    NestedTooDeeply: Problem(BAD_REQUEST, "nested_too_deeply", "Nested too deeply"),
    WrongType: Problem(UNPROCESSABLE, "wrong_type", "Wrong type"),
    MissingField: Problem(UNPROCESSABLE, "missing_field", "A field is missing"),
    UnknownField: Problem(UNPROCESSABLE, "unknown_field", "Unknown field"),
    AmbiguousBody: Problem(UNPROCESSABLE, "ambiguous_body", "One field too many"),
    WrongPixelCount: Problem(UNPROCESSABLE, "wrong_pixel_count", "Wrong number of pixels"),
    RaggedRows: Problem(UNPROCESSABLE, "ragged_rows", "The rows are not 28 by 28"),
    PixelNotANumber: Problem(UNPROCESSABLE, "pixel_not_a_number", "A pixel is not a number"),
    PixelNotFinite: Problem(UNPROCESSABLE, "pixel_not_finite", "A pixel is not finite"),
    PixelOutOfRange: Problem(UNPROCESSABLE, "pixel_out_of_range", "A pixel is out of range"),
    EmptyBatch: Problem(UNPROCESSABLE, "empty_batch", "No images"),
    BatchTooLarge: Problem(TOO_LARGE, "batch_too_large", "Too many images"),
    NotOneImage: Problem(UNPROCESSABLE, "not_one_image", "Not one image"),
    UnreadableImage: Problem(UNPROCESSABLE, "unreadable_image", "The image cannot be read"),
    ImageTooLarge: Problem(TOO_LARGE, "image_too_large", "The image has too many pixels"),
    NotAFrame: Problem(UNPROCESSABLE, "not_a_frame", "The image is no frame"),
    UnknownChoice: Problem(UNPROCESSABLE, "unknown_choice", "A parameter is none of its choices"),
    MalformedRequest: Problem(BAD_REQUEST, "malformed_request", "The request is not HTTP/1.1"),
    HeaderTooLarge: Problem(
        Status.REQUEST_HEADER_FIELDS_TOO_LARGE, "header_too_large", "The headers are too large"
    ),
    TargetTooLong: Problem(Status.REQUEST_URI_TOO_LONG, "target_too_long", "The path is too long"),
    NotFound: Problem(Status.NOT_FOUND, "not_found", "Nothing is here"),
    UnknownModelVersion: Problem(
        Status.NOT_FOUND, "unknown_model_version", "No model of this version"
    ),
    MethodNotAllowed: Problem(Status.METHOD_NOT_ALLOWED, "method_not_allowed", "Wrong method"),
}


def describe(error: RequestError, request_id: str) -> tuple[int, bytes]:
    """Status and problem document (RFC 9457) of a refused request."""
    return _document(TABLE[type(error)], error.detail, request_id, error.field)


def describe_failure(request_id: str) -> tuple[int, bytes]:
    """Status and problem document of a failure of the service itself; the log has the cause."""
    detail = "the service failed; try again, and report the request_id if it happens again"
    return _document(INTERNAL, detail, request_id, None)


def _document(
    problem: Problem, detail: str, request_id: str, field: str | None
) -> tuple[int, bytes]:
    document = {
        "type": f"urn:digits:problem:{problem.code}",
        "title": problem.title,
        "status": problem.status.value,
        "detail": detail,
        "code": problem.code,
        "request_id": request_id,
        "errors": [] if field is None else [{"field": field, "detail": detail}],
    }
    return problem.status.value, orjson.dumps(document)
