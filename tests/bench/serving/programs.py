"""The programs that are measured: our service and its peers, each on the same weights."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

Model: TypeAlias = Literal["mlp", "flagship"]
MLP: Model = "mlp"
FLAGSHIP: Model = "flagship"

PEERS = "tests.bench.peers"
VIEWS = "tests.bench.serving.views"

UVICORN = "--port {port} --loop uvloop --http httptools --no-access-log --log-level warning"
GUNICORN = "--worker-class gthread --threads 4 --bind 127.0.0.1:{port}"


@dataclass(frozen=True)
class Program:
    """A server: what starts it, and where that is installed.

    command: what follows ``python -m``; ``{port}`` and ``{peers}``, where their environments
    are, are put in.
    environment: one of those of ``requirements/peers``, None for the project's own.
    packages: whose versions are told. cores: how many it may use.
    """

    name: str
    command: tuple[str, ...]
    environment: str | None = None
    packages: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict, hash=False)
    model: Model = MLP
    cores: int = 1

    def reading(self, model: Model) -> "Program":
        """The same with another model."""
        return replace(self, name=f"{self.name}, {model}", model=model)


def _digits(name: str, *, workers: int = 1, cores: int = 1, **settings: str) -> Program:
    variables = {"DIGITS_WORKERS": str(workers), **settings}
    return Program(name, ("service",), None, ("flask", "gunicorn"), variables, cores=cores)


def _fastapi(name: str, module: str, *packages: str) -> Program:
    command = ("uvicorn", f"{PEERS}.{module}:app", *UVICORN.split())
    return Program(name, command, "fastapi", ("fastapi", "uvicorn", *packages, "onnxruntime"))


def _peer(name: str, module: str, package: str) -> Program:
    return Program(name, (f"{PEERS}.{module}",), package, (package, "onnxruntime"))


DIGITS = _digits("digits")
THROUGH_A_VIEW = replace(
    _digits("digits through Flask's views"),
    command=("gunicorn", "-c", "python:service.gunicorn_conf", f"{VIEWS}:create_app()"),
)
ON_GTHREAD = replace(
    _digits("digits on gthread"),
    command=("gunicorn", *GUNICORN.split(), "service.app:create_app()"),
)
ON_UVICORN = replace(
    _digits("digits on uvicorn"), command=("tests.bench.serving.asgi", "{port}", "{peers}/fastapi")
)
BEHIND_NGINX = replace(
    _digits("digits behind nginx"), command=("tests.bench.serving.behind_nginx", "{port}")
)
ONE_WORKER = _digits("one worker", workers=1, cores=2)
TWO_WORKERS = _digits("two workers", workers=2, cores=2)

FASTAPI = _fastapi("FastAPI", "fastapi_pydantic", "pydantic")
LEAN_FASTAPI = _fastapi("lean FastAPI", "fastapi_lean", "msgspec", "orjson")
FASTAPI_PILLOW = _fastapi("FastAPI with Pillow", "fastapi_pillow", "pillow")
FLASK_GET = Program(
    "Flask's GET on gthread",
    ("gunicorn", *GUNICORN.split(), f"{PEERS}.flask_get:app"),
    "flask",
    ("flask", "gunicorn"),
)
KSERVE = _peer("KServe v1", "kserve_model", "kserve")
MLSERVER = _peer("MLServer", "mlserver_runtime", "mlserver")
LITSERVE = _peer("LitServe", "litserve_api", "litserve")
BENTOML = Program(
    "BentoML",
    ("bentoml", "serve", f"{PEERS}.bentoml_service:Digits", "--port", "{port}"),
    "bentoml",
    ("bentoml", "onnxruntime"),
)
RAY = _peer("Ray Serve", "ray_deployment", "ray")
