"""The service on uvicorn's loop instead of its own: what ``service/connection.py`` is for.

Run as ``python -m tests.bench.serving.asgi PORT ENVIRONMENT``, of which uvicorn is taken.
"""

import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from service import wsgi
from service.app import create_app

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

Event = dict[str, Any]


async def adapt(
    application: "WSGIApplication",
    scope: Event,
    receive: Callable[[], Awaitable[Event]],
    send: Callable[[Event], Awaitable[None]],
) -> None:
    """One request (ASGI 3.0), its body put together and answered inline."""
    pieces, more = [], True
    while more:
        event = await receive()
        pieces.append(event.get("body", b""))
        more = event.get("more_body", False)
    environ = wsgi.environment(
        wsgi.surroundings(scope["client"], scope["server"]),
        method=scope["method"],
        target=scope["raw_path"] + b"?" + scope["query_string"],
        version=scope["http_version"],
        fields={wsgi.key(name): value.decode("latin-1") for name, value in scope["headers"]},
        body=b"".join(pieces),
    )
    response = wsgi.call(application, environ)
    headers = [(name.encode(), value.encode()) for name, value in response.headers]
    status = int(response.status[:3])
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})


def main(port: int, environment: Path) -> None:
    sys.path += map(str, environment.glob("lib/python3.*/site-packages"))  # behind our own
    import uvicorn  # noqa: PLC0415 - it is only there now

    uvicorn.run(
        partial(adapt, create_app().wsgi_app),
        interface="asgi3",
        port=port,
        loop="uvloop",
        http="httptools",
        lifespan="off",
        access_log=False,
        log_level="warning",
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
