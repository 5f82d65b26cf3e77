"""Whether requests are traced: OpenTelemetry's own variables say so, and no others.

Where they ask for nothing, nothing of OpenTelemetry is imported.
"""

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING

from service.settings import SettingsError

if TYPE_CHECKING:
    from service.spans import Spans

OTLP, CONSOLE, NONE = EXPORTERS = ("otlp", "console", "none")
PROTOCOLS = ("http/protobuf",)
CODINGS = ("none", "gzip", "deflate")
RATIO_SAMPLERS = ("traceidratio", "parentbased_traceidratio")
SAMPLERS = (
    "always_on",
    "always_off",
    "parentbased_always_on",
    "parentbased_always_off",
    *RATIO_SAMPLERS,
)

# How spans wait to be sent: variables of whole numbers, and what the SDK takes without them.
QUEUE, BATCH, DELAY = (
    "OTEL_BSP_MAX_QUEUE_SIZE",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
    "OTEL_BSP_SCHEDULE_DELAY",
)
DEFAULTS = {QUEUE: 2_048, BATCH: 512, DELAY: 5_000}


def exporter(environ: Mapping[str, str]) -> str | None:
    """Where spans go: ``otlp``, ``console``, or None where requests are not traced.

    The rule: to what ``OTEL_TRACES_EXPORTER`` names; where that is not set, to ``otlp`` if an
    endpoint is; nowhere while ``OTEL_SDK_DISABLED`` is true. An empty value counts as not set.
    Raises SettingsError for a variable of a value that cannot be followed.
    """
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    name, endpoint = _otlp(environ, "ENDPOINT")
    to = _word(environ, "OTEL_TRACES_EXPORTER", EXPORTERS) or (OTLP if endpoint else NONE)
    if to == NONE:
        return None
    if to == OTLP:
        if endpoint and not endpoint.startswith(("http://", "https://")):
            raise SettingsError(f"{name} is {endpoint!r}; set an address as http://HOST:4318")
        for word, known in {"PROTOCOL": PROTOCOLS, "COMPRESSION": CODINGS}.items():
            _word(environ, _otlp(environ, word)[0], known)
    _check_sampler(environ)
    _check_sizes(environ)
    return to


def check(environ: Mapping[str, str]) -> None:
    """Raise SettingsError where traces are wanted and what that takes is not there.

    A collector that does not answer is no reason: it may come up later.
    """
    if exporter(environ):
        _spans()


def spans(environ: Mapping[str, str]) -> "Spans | None":
    """What makes spans, if they are wanted; ``environ`` is this process's, which the SDK reads.

    Raises SettingsError as ``check`` does.
    """
    to = exporter(environ)
    found: Spans | None = _spans().Spans.to(to) if to else None
    return found


def _spans() -> ModuleType:
    try:
        from service import spans  # noqa: PLC0415 - 9 MB, where it is wanted
    except ModuleNotFoundError as missing:
        raise SettingsError(
            f"tracing needs {missing.name}, which is not installed; install digits[tracing]"
        ) from None
    return spans


def _otlp(environ: Mapping[str, str], word: str) -> tuple[str, str]:
    """Name and value of a variable of the exporter; the one of traces goes first."""
    own, common = f"OTEL_EXPORTER_OTLP_TRACES_{word}", f"OTEL_EXPORTER_OTLP_{word}"
    name = own if environ.get(own) else common
    return name, environ.get(name, "")


def _word(environ: Mapping[str, str], name: str, known: Sequence[str]) -> str:
    value = environ.get(name, "")
    word = value.strip().lower()
    if word and word not in known:
        raise SettingsError(f"{name} is {value!r}; set {' or '.join(known)}")
    return word


def _check_sampler(environ: Mapping[str, str]) -> None:
    sampler = _word(environ, "OTEL_TRACES_SAMPLER", SAMPLERS)
    share = environ.get("OTEL_TRACES_SAMPLER_ARG")
    if sampler in RATIO_SAMPLERS and share and not _is_share(share):
        raise SettingsError(f"OTEL_TRACES_SAMPLER_ARG is {share!r}; set a number from 0 to 1")


def _is_share(text: str) -> bool:
    try:
        return 0 <= float(text) <= 1
    except ValueError:
        return False


def _check_sizes(environ: Mapping[str, str]) -> None:
    sizes = DEFAULTS.copy()
    for name in sizes:
        text = environ.get(name)
        if text:
            if not (text.isascii() and text.isdecimal() and int(text) > 0):
                raise SettingsError(f"{name} is {text!r}; set a whole number above 0")
            sizes[name] = int(text)
    if sizes[BATCH] > sizes[QUEUE]:
        raise SettingsError(f"{BATCH} is {sizes[BATCH]}; set at most {QUEUE}, {sizes[QUEUE]}")
