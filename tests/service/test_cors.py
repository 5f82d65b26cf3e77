"""Pages of other origins: what a browser is told, and that it is told nothing by default."""

from flask.testing import FlaskClient
from werkzeug.datastructures import Headers

from model import Artifact, Classifier
from service.app import create_app
from service.settings import Settings
from tests.helpers import table
from tests.service.cases import GOOD, JSON, pixels_json
from tests.service.cases_access import KEY

OURS, OTHER, STRANGE = "https://ours.example", "http://localhost:3000", "https://strange.example"

PREFLIGHT = {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type,traceparent",
}


def told(headers: Headers) -> dict[str, str]:
    """What an answer says to browsers."""
    start = "Access-Control-"
    return {name.removeprefix(start): value for name, value in headers if name.startswith(start)}


def client_of(shipped: Artifact, *origins: str) -> FlaskClient:
    settings = Settings(api_keys=(KEY,), cors_origins=origins or None)
    return create_app(settings, Classifier(shipped)).test_client()


@table(
    "origins, origin, allowed",
    {
        "one of the list": ([OURS, OTHER], OTHER, OTHER),
        "any": (["*"], STRANGE, "*"),
        "none of them": ([OURS, OTHER], STRANGE, None),
        "a longer name": ([OURS], f"{OURS}.evil.example", None),
        "another port": ([OTHER], "http://localhost:3001", None),
        "another scheme": ([OURS], OURS.replace("https", "http"), None),
        "of no site": ([OURS], "null", None),
        "off": ([], OURS, None),
    },
)
def test_an_answer_and_a_refusal_may_be_read_by_the_origins_that_are_set(
    shipped: Artifact, origins: list[str], origin: str, allowed: str | None
) -> None:
    client = client_of(shipped, *origins)
    for key, status in ((KEY, 200), ("none", 401)):
        answer = client.post(
            "/predict",
            data=pixels_json(GOOD),
            headers=JSON | {"Origin": origin, "X-API-Key": key},
        )
        assert answer.status_code == status
        expected = {
            "Allow-Origin": allowed,
            "Expose-Headers": "Inference-Header-Content-Length, Retry-After, "
            "X-Model-Version, X-Request-ID",
        }
        assert told(answer.headers) == (expected if allowed else {})


def test_a_browser_that_asks_whether_it_may_is_told_how(shipped: Artifact) -> None:
    answer = client_of(shipped, OURS).options("/predict", headers=PREFLIGHT | {"Origin": OURS})
    assert answer.status_code == 200
    said = told(answer.headers)
    assert said["Allow-Origin"] == OURS
    assert "POST" in said["Allow-Methods"].split(", ")
    assert said["Allow-Headers"].lower().split(", ") == [
        "accept",
        "authorization",
        "content-type",
        "inference-header-content-length",
        "x-api-key",
        "x-canary-key",
        "x-request-id",
        "traceparent",
    ]
    assert "Allow-Credentials" not in said


@table(
    "origins, origin, varies",
    {
        "allowed": ([OURS], OURS, True),
        "not allowed": ([OURS], STRANGE, True),
        "of the same origin": ([OURS], None, True),
        "the same for all": (["*"], OURS, False),
        "off": ([], OURS, False),
    },
)
def test_caches_are_told_that_another_origin_has_another_answer(
    shipped: Artifact, origins: list[str], origin: str | None, *, varies: bool
) -> None:
    headers = {"Origin": origin} if origin else {}
    answer = client_of(shipped, *origins).get("/livez", headers=headers)
    assert ("origin" in answer.vary) == varies
