"""The parts of a form (multipart/form-data, RFC 7578); Werkzeug does the parsing."""

from dataclasses import dataclass

from werkzeug.datastructures import Headers
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from service import errors
from service.documents import printable

EXPECTED = "send a whole form, whose Content-Type names its boundary"

MAX_HEAD_BYTES = 2_048  # of a part; they are read line by line in Python, for all of its words


@dataclass(frozen=True)
class Part:
    """One file of a form. content_type: in lower case, without parameters, may be empty."""

    content_type: str
    content: bytes


class Decoder(MultipartDecoder):
    """Werkzeug's, which has a limit for everything but the heads of parts."""

    def _parse_headers(self, data: bytes | bytearray) -> Headers:
        if len(data) > MAX_HEAD_BYTES:
            raise ValueError("the head of a part is too large")
        return super()._parse_headers(data)


def parts(body: bytes, boundary: str | None, name: str, most: int) -> list[Part]:
    """The parts of a form that is to have parts called ``name`` only, at most ``most``.

    Raises InvalidMultipart, UnknownField or BatchTooLarge.
    """
    if not boundary:
        raise errors.InvalidMultipart("Content-Type", f"there is no boundary; {EXPECTED}")
    decoder = Decoder(boundary.encode("latin-1", "replace"), max_parts=most)
    found: list[Part] = []
    pieces: list[bytes] = []
    content_type = ""
    try:
        decoder.receive_data(body)
        decoder.receive_data(None)
        while not isinstance(event := decoder.next_event(), Epilogue | NeedData):
            if isinstance(event, Field | File):
                if event.name != name:
                    raise errors.UnknownField(
                        printable(event.name or ""),
                        f"the field is not known; name every part {name}",
                    )
                content_type, pieces = event.headers.get("Content-Type", ""), []
            elif isinstance(event, Data):
                pieces.append(event.data)
                if not event.more_data:
                    found.append(Part(_bare(content_type), b"".join(pieces)))
    except RequestEntityTooLarge:
        raise errors.BatchTooLarge(
            name, f"the form has more than {most} parts; send at most {most} in one request"
        ) from None
    except ValueError:
        raise errors.InvalidMultipart("body", f"the body is not a form; {EXPECTED}") from None
    return found


def _bare(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()
