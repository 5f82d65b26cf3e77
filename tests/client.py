"""An HTTP client for tests: real sockets, and nothing hidden about what was answered."""

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

TIMEOUT = 30


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401 - any JSON value
        return json.loads(self.body)


class Client:
    """One keep-alive connection, opened again when the server has closed it."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        chunked: bool = False,
    ) -> Answer:
        sent = iter([body or b""]) if chunked else body
        self._connection.request(method, path, sent, dict(headers or {}), encode_chunked=chunked)
        response = self._connection.getresponse()
        return Answer(response.status, dict(response.headers), response.read())

    def get(self, path: str) -> Answer:
        return self.request("GET", path)

    def predict(self, body: bytes, content_type: str) -> Answer:
        return self.request("POST", "/predict", body, {"Content-Type": content_type})

    def predict_json(self, value: object) -> Answer:
        return self.predict(json.dumps(value).encode(), "application/json")
