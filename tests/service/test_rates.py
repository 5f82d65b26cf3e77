"""How much a client may ask, and who counts as one."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import pytest
from flask.testing import FlaskClient

from model import Artifact, Classifier
from service import rates
from service.addresses import Senders
from service.app import create_app
from service.errors import RateLimited
from service.keys import Keys
from service.rates import Rates
from service.settings import Settings, SettingsError, networks
from tests.helpers import table
from tests.service.cases_access import ADMIN_KEY, BODY, KEY, OTHER_KEY, sent
from tests.service.test_errors import refusals

Make = Callable[..., FlaskClient]


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def limited(rate: int, burst: int, clock: Clock, **settings: object) -> Rates:
    return Rates(Keys.of(Settings(**settings)), rate, burst, clock)  # type: ignore[arg-type] # any of them


def asks(limit: Rates, client: str = "10.0.0.1", **environ: str) -> float:
    """The seconds that are told to wait, 0 where the request is let in."""
    asked = {"PATH_INFO": "/predict", "REQUEST_METHOD": "POST", "REMOTE_ADDR": client, **environ}
    try:
        limit.check(asked)
    except RateLimited as refusal:
        return float(refusal.headers["Retry-After"])
    return 0


@table(
    "rate, burst, times, expected",
    {
        "one a second": (1, 1, [0, 0, 0.5, 1, 1, 2], [0, 1, 1, 0, 1, 0]),
        "three at once": (1, 3, [0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 0, 1]),
        "who waits longer saves no more than that": (1, 2, [0, 100, 100, 100], [0, 0, 0, 1]),
        "what is refused costs nothing": (1, 1, [0, *[0.1] * 50, 1], [0, *[1] * 50, 0]),
        "many a second": (100, 1, [0, 0.009, 0.0101], [0, 1, 0]),
    },
)
def test_a_client_may_ask_at_its_rate_and_some_at_once(
    rate: int, burst: int, times: Sequence[float], expected: Sequence[float], clock: Clock
) -> None:
    limit, began = limited(rate, burst, clock), clock.now
    found = []
    for time in times:
        clock.now = began + time
        found.append(asks(limit))
    assert found == expected


def test_clients_do_not_share_a_rate(clock: Clock) -> None:
    limit = limited(1, 1, clock, api_keys=(KEY, OTHER_KEY), admin_token=ADMIN_KEY)
    clients = [
        {"HTTP_X_API_KEY": KEY},
        {"HTTP_AUTHORIZATION": f"Bearer {OTHER_KEY}"},
        {"HTTP_X_API_KEY": ADMIN_KEY},
        {},
    ]
    assert [asks(limit, **keys) for keys in clients] == [0, 0, 0, 0]
    assert [asks(limit, **keys) for keys in clients] == [1, 1, 1, 1]
    assert asks(limit, "10.0.0.2") == 0
    assert asks(limit, "10.0.0.3", HTTP_X_API_KEY=KEY) == 1  # the same key from elsewhere


def test_whoever_tries_keys_is_slowed_down(clock: Clock) -> None:
    limit = limited(1, 1, clock, api_keys=(KEY,))
    tried = [asks(limit, HTTP_X_API_KEY=f"tried-{number}" * 4) for number in range(3)]
    assert tried == [0, 1, 1]


@table(
    "path",
    {
        path: path
        for path in (
            *("/livez", "/readyz", "/healthz", "/health", "/metrics", "/v2/health/live"),
            *("/v2/health/ready", "/v2/models/digits/ready", "/v1/models/digits"),
        )
    },
)
def test_who_watches_the_service_is_never_refused(path: str, clock: Clock) -> None:
    limit = limited(1, 1, clock)
    assert {asks(limit, PATH_INFO=path) for _ in range(10)} == {0}
    assert [asks(limit), asks(limit)] == [0, 1]  # and it was not counted


def test_so_many_clients_are_remembered_and_no_more(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rates, "CLIENTS", 3)
    limit = limited(1, 1, clock)
    for client in ("a", "b", "c", "a", "d"):  # b has not asked for longest
        asks(limit, f"10.0.0.{ord(client)}")
    assert list(limit._done) == [f"address 10.0.0.{ord(client)}" for client in "cad"]


# -- what is answered -------------------------------------------------------------------


@pytest.fixture
def make(shipped: Artifact) -> Make:
    def client(**settings: object) -> FlaskClient:
        return create_app(Settings(**settings), Classifier(shipped)).test_client()  # type: ignore[arg-type] # any

    return client


@pytest.mark.parametrize("path", ["/predict", "/v2/models/digits/infer", "/models", "/no/such"])
def test_too_many_are_answered_429_and_counted(make: Make, path: str) -> None:
    client = make(rate_limit=1, rate_burst=2, cors_origins=("https://a.example",))
    answers = [client.post(path, data=BODY, headers=sent()) for _ in range(3)]
    assert 429 not in [answer.status_code for answer in answers[:2]]
    assert (answers[2].status_code, answers[2].headers["Retry-After"]) == (429, "1")
    assert "1 requests a second" in answers[2].get_data(as_text=True)
    assert refusals(client)["rate_limited"] == 1
    assert client.get("/readyz").status_code == 200


def test_the_code_is_told(make: Make) -> None:
    client = make(rate_limit=1)
    codes = Counter(client.get("/models").get_json(force=True).get("code") for _ in range(3))
    assert codes == {None: 1, "rate_limited": 2}


def test_without_a_limit_there_is_none(make: Make) -> None:
    client = make()
    assert {client.get("/models").status_code for _ in range(50)} == {200}


# -- behind proxies ---------------------------------------------------------------------

PROXIES = networks(["10.0.0.0/8", "192.0.2.7", "2001:db8:1::/48"])


@table(
    "trusted, remote, forwarded, expected",
    {
        "nobody is trusted": ((), "10.0.0.1", "203.0.113.5", "10.0.0.1"),
        "a stranger says anything": (PROXIES, "203.0.113.9", "198.51.100.1", "203.0.113.9"),
        "a proxy tells": (PROXIES, "10.0.0.1", "203.0.113.5", "203.0.113.5"),
        "a proxy tells nothing": (PROXIES, "10.0.0.1", None, "10.0.0.1"),
        "the client wrote something before": (
            PROXIES,
            "10.0.0.1",
            "1.2.3.4, 203.0.113.5",
            "203.0.113.5",
        ),
        "two proxies": (PROXIES, "10.0.0.1", "1.2.3.4,203.0.113.5, 192.0.2.7", "203.0.113.5"),
        "only proxies": (PROXIES, "10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        "no address": (PROXIES, "10.0.0.1", "203.0.113.5, unknown", "10.0.0.1"),
        "with a port": (PROXIES, "10.0.0.1", "203.0.113.5:80", "10.0.0.1"),
        "empty": (PROXIES, "10.0.0.1", "", "10.0.0.1"),
        "a zone behind IPv4": (PROXIES, "10.0.0.1", "1.2.3.4%1", "10.0.0.1"),
        "mapped, in capitals": (PROXIES, "10.0.0.1", "::FFFF:203.0.113.5", "203.0.113.5"),
        "control characters": (PROXIES, "10.0.0.1", "203.0.113.5\x1b[31m", "10.0.0.1"),
        "a socket of IPv6": (PROXIES, "::ffff:10.0.0.1", "203.0.113.5", "203.0.113.5"),
        "IPv6": (PROXIES, "2001:db8:1::1", "2001:db8:2:3:4::1", "20010db800020003"),
        "another address of the same network": (
            PROXIES,
            "2001:db8:1::1",
            "2001:db8:2:3:5::9",
            "20010db800020003",
        ),
    },
)
def test_a_client_is_an_address_that_can_be_believed(
    trusted: Sequence[object], remote: str, forwarded: str | None, expected: str
) -> None:
    environ: Mapping[str, str] = {"REMOTE_ADDR": remote}
    if forwarded is not None:
        environ = {**environ, "HTTP_X_FORWARDED_FOR": forwarded}
    assert Senders(trusted).address(environ) == expected  # type: ignore[arg-type] # of networks


@pytest.mark.parametrize(
    "said", ["localhost", "10.0.0.0/33", "10.0.0.1/8", "*", "10.0.0.1 10.0.0.2"]
)
def test_what_is_no_proxy_stops_the_start(said: str) -> None:
    with pytest.raises(SettingsError, match=r"DIGITS_TRUSTED_PROXIES.*10\.1\.0\.0/16"):
        Settings.from_env({"DIGITS_TRUSTED_PROXIES": said})
