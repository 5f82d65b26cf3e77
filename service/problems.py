"""What a client is told: the one table of errors, and the two forms of telling.

Native routes answer with a problem document (RFC 9457), the inference protocols
with ``{"error": "text"}``.
"""

from dataclasses import dataclass
from http import HTTPStatus as Status

import orjson

from service import errors

PROBLEM_TYPE = "application/problem+json"


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

COARSE = frozenset({Status.NOT_ACCEPTABLE, UNSUPPORTED, UNPROCESSABLE})  # 400 in the protocols

FAILED = "the service failed; try again, and report the request_id if it happens again"

INTERNAL = Problem(Status.INTERNAL_SERVER_ERROR, "internal_error", "The service failed")

TABLE: dict[type[errors.RequestError], Problem] = {
    errors.EmptyBody: Problem(BAD_REQUEST, "empty_body", "The body is empty"),
    errors.IncompleteBody: Problem(BAD_REQUEST, "incomplete_body", "The body broke off"),
    errors.BodyTooLarge: Problem(TOO_LARGE, "body_too_large", "Body too large"),
    errors.ReadTimeout: Problem(
        Status.REQUEST_TIMEOUT, "read_timeout", "The request took too long"
    ),
    errors.MissingContentType: Problem(UNSUPPORTED, "missing_content_type", "No Content-Type"),
    errors.UnsupportedMediaType: Problem(
        UNSUPPORTED, "unsupported_media_type", "Unsupported Content-Type"
    ),
    errors.CorruptCoding: Problem(BAD_REQUEST, "corrupt_coding", "The compressed body is damaged"),
    errors.InvalidMultipart: Problem(BAD_REQUEST, "invalid_multipart", "The body is not a form"),
    errors.UnsupportedCoding: Problem(
        UNSUPPORTED, "unsupported_coding", "Unsupported Content-Encoding"
    ),
    errors.NotAcceptable: Problem(Status.NOT_ACCEPTABLE, "not_acceptable", "Nothing acceptable"),
    errors.InvalidJSON: Problem(BAD_REQUEST, "invalid_json", "The body is not JSON"),
    errors.DuplicateKey: Problem(BAD_REQUEST, "duplicate_key", "A key stands twice"),
    errors.NestedTooDeeply: Problem(BAD_REQUEST, "nested_too_deeply", "Nested too deeply"),
    errors.WrongType: Problem(UNPROCESSABLE, "wrong_type", "Wrong type"),
    errors.MissingField: Problem(UNPROCESSABLE, "missing_field", "A field is missing"),
    errors.UnknownField: Problem(UNPROCESSABLE, "unknown_field", "Unknown field"),
    errors.AmbiguousBody: Problem(UNPROCESSABLE, "ambiguous_body", "One field too many"),
    errors.WrongPixelCount: Problem(UNPROCESSABLE, "wrong_pixel_count", "Wrong number of pixels"),
    errors.RaggedRows: Problem(UNPROCESSABLE, "ragged_rows", "The rows are not 28 by 28"),
    errors.PixelNotANumber: Problem(UNPROCESSABLE, "pixel_not_a_number", "A pixel is not a number"),
    errors.PixelNotFinite: Problem(UNPROCESSABLE, "pixel_not_finite", "A pixel is not finite"),
    errors.PixelOutOfRange: Problem(UNPROCESSABLE, "pixel_out_of_range", "A pixel is out of range"),
    errors.InvalidBase64: Problem(UNPROCESSABLE, "invalid_base64", "Not base64"),
    errors.InvalidNpy: Problem(UNPROCESSABLE, "invalid_npy", "Not a .npy file"),
    errors.WrongDtype: Problem(UNPROCESSABLE, "wrong_dtype", "Wrong type of numbers"),
    errors.WrongShape: Problem(UNPROCESSABLE, "wrong_shape", "Wrong shape"),
    errors.UnknownTensor: Problem(UNPROCESSABLE, "unknown_tensor", "Unknown input or output"),
    errors.RepeatedOutput: Problem(
        UNPROCESSABLE, "repeated_output", "An output is asked for twice"
    ),
    errors.WrongDatatype: Problem(UNPROCESSABLE, "wrong_datatype", "Wrong datatype"),
    errors.WrongDataSize: Problem(UNPROCESSABLE, "wrong_data_size", "Wrong amount of data"),
    errors.WrongHeaderLength: Problem(
        BAD_REQUEST, "wrong_header_length", "Wrong length of the JSON header"
    ),
    errors.WrongClassification: Problem(
        UNPROCESSABLE, "wrong_classification", "No such classification"
    ),
    errors.EmptyBatch: Problem(UNPROCESSABLE, "empty_batch", "No images"),
    errors.BatchTooLarge: Problem(TOO_LARGE, "batch_too_large", "Too many images"),
    errors.NotOneImage: Problem(UNPROCESSABLE, "not_one_image", "Not one image"),
    errors.UnreadableImage: Problem(UNPROCESSABLE, "unreadable_image", "The image cannot be read"),
    errors.ImageTooLarge: Problem(TOO_LARGE, "image_too_large", "The image has too many pixels"),
    errors.NotAFrame: Problem(UNPROCESSABLE, "not_a_frame", "The image is no frame"),
    errors.UnknownChoice: Problem(
        UNPROCESSABLE, "unknown_choice", "A parameter is none of its choices"
    ),
    errors.OutOfRange: Problem(UNPROCESSABLE, "out_of_range", "A parameter is out of its range"),
    errors.UnknownParameter: Problem(UNPROCESSABLE, "unknown_parameter", "Unknown parameter"),
    errors.RepeatedParameter: Problem(UNPROCESSABLE, "repeated_parameter", "Said more than once"),
    errors.Unauthorized: Problem(Status.UNAUTHORIZED, "unauthorized", "A key is needed"),
    errors.Forbidden: Problem(Status.FORBIDDEN, "forbidden", "Not allowed"),
    errors.RateLimited: Problem(Status.TOO_MANY_REQUESTS, "rate_limited", "Too many requests"),
    errors.Overloaded: Problem(Status.TOO_MANY_REQUESTS, "overloaded", "Too much at once"),
    errors.MalformedRequest: Problem(
        BAD_REQUEST, "malformed_request", "The request is not HTTP/1.1"
    ),
    errors.HeaderTooLarge: Problem(
        Status.REQUEST_HEADER_FIELDS_TOO_LARGE, "header_too_large", "The headers are too large"
    ),
    errors.TargetTooLong: Problem(
        Status.REQUEST_URI_TOO_LONG, "target_too_long", "The path is too long"
    ),
    errors.InvalidFeedback: Problem(BAD_REQUEST, "invalid_feedback", "No such feedback"),
    errors.UnknownPrediction: Problem(
        Status.NOT_FOUND, "unknown_prediction", "Nothing is kept of the image"
    ),
    errors.FeedbackUnavailable: Problem(
        Status.SERVICE_UNAVAILABLE, "feedback_unavailable", "No feedback is taken now"
    ),
    errors.NotFound: Problem(Status.NOT_FOUND, "not_found", "Nothing is here"),
    errors.UnknownModel: Problem(Status.NOT_FOUND, "unknown_model", "No model of this name"),
    errors.UnknownModelVersion: Problem(
        Status.NOT_FOUND, "unknown_model_version", "No model of this version"
    ),
    errors.UnusableModelVersion: Problem(
        Status.NOT_FOUND, "unusable_model_version", "This version is not sound"
    ),
    errors.OnlyModel: Problem(BAD_REQUEST, "only_model", "The only model stays"),
    errors.MethodNotAllowed: Problem(
        Status.METHOD_NOT_ALLOWED, "method_not_allowed", "Wrong method"
    ),
}


def of(error: errors.RequestError | None) -> Problem:
    """What a refusal is called; without an error, a failure of the service itself."""
    return INTERNAL if error is None else TABLE[type(error)]


def document(error: errors.RequestError | None, request_id: str) -> tuple[int, bytes]:
    """Status and problem document of a refusal or a failure, as native routes answer it."""
    problem = of(error)
    detail = FAILED if error is None else error.detail
    said = {
        "type": f"urn:digits:problem:{problem.code}",
        "title": problem.title,
        "status": problem.status.value,
        "detail": detail,
        "code": problem.code,
        "request_id": request_id,
        "errors": [] if error is None else [{"field": error.field, "detail": detail}],
    }
    return problem.status.value, orjson.dumps(said)


def plain(error: errors.RequestError | None) -> tuple[int, bytes]:
    """Status and body of a refusal or a failure, as both inference protocols have it.

    They know no finer status than 400 for what is wrong with a body.
    """
    status = of(error).status
    text = FAILED
    if error is not None:
        text = error.detail if error.field in error.detail else f"{error.field}: {error.detail}"
    return (BAD_REQUEST if status in COARSE else status).value, orjson.dumps({"error": text})
