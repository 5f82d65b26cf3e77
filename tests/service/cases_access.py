"""Requests to a service with keys, and which of them it answers."""

from collections.abc import Mapping

from tests.service.cases import BadRequest, pixels_json

KEY, OTHER_KEY = "first-key-of-a-user", "other-key-of-a-user/+="
ADMIN_KEY = "key-of-administrators"

BODY = pixels_json([0] * 784)


def sent(**headers: str) -> dict[str, str]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return {"Content-Type": "application/json", **named}


ADMITTED: Mapping[str, Mapping[str, str]] = {
    "a bearer token": sent(Authorization=f"Bearer {KEY}"),
    "another one": sent(Authorization=f"Bearer {OTHER_KEY}"),
    "in small letters": sent(Authorization=f"bearer {KEY}"),
    "a key of its own header": sent(X_API_Key=OTHER_KEY),
    "an administrator's": sent(Authorization=f"Bearer {ADMIN_KEY}"),
    "one of two": sent(Authorization="Bearer nothing-that-is-known", X_API_Key=KEY),
    "beside a password": sent(Authorization="Basic dXNlcjpwYXNz", X_API_Key=KEY),
}

TURNED_AWAY: Mapping[str, Mapping[str, str]] = {
    "no key": sent(),
    "an unknown key": sent(Authorization="Bearer nothing-that-is-known"),
    "an empty one": sent(Authorization="Bearer ", X_API_Key=""),
    "another scheme": sent(Authorization=f"Basic {KEY}"),
    "no scheme": sent(Authorization=KEY),
    "the beginning of a key": sent(X_API_Key=KEY[:-1]),
    "a key and more": sent(X_API_Key=f"{KEY}1"),
    "all keys in one": sent(X_API_Key=f"{KEY},{OTHER_KEY}"),
    "other letters": sent(X_API_Key=KEY.upper()),
    "not ASCII": sent(X_API_Key="\xe9" * 20),
}

UNAUTHORIZED = [
    *(
        BadRequest(
            f"{name} for {path}", 401, "unauthorized", "Authorization", BODY, headers, "POST", path
        )
        for path in ("/predict", "/v1/models/digits:predict", "/v2/models/digits/infer")
        for name, headers in TURNED_AWAY.items()
    ),
    *(
        BadRequest(name, 401, "unauthorized", "Authorization", body, sent(), method, path)
        for name, method, path, body in (
            ("before the body is read", "POST", "/predict", b"no JSON"),
            ("before a path is looked for", "GET", "/no/such/path", b""),
            ("before a method is", "DELETE", "/predict", b""),
            ("an explanation", "POST", "/explain", BODY),
            ("the models", "GET", "/models", b""),
            ("a verb behind what is open", "POST", "/v1/models/digits/versions/3:explain", BODY),
            ("a path below health", "GET", "/v2/health/live/x", b""),
            ("a path like health", "GET", "/livez/", b""),
        )
    ),
]
