"""The native endpoints: every kind of body, one shape of answer."""

from collections.abc import Sequence
from functools import partial

from model import Artifact, Prediction
from model.aliases import MAX_NUMBER
from model.architecture import CLASSES
from model.frame import MANNERS
from service import answers, bodies
from service.answers import JSON, Wanted
from service.batches import Batch
from service.exchange import MODEL_VERSION, Endpoint, Reply, Request
from service.inference import Inference, Question, Reader
from service.limits import Limits, receive
from service.negotiation import choose
from service.queries import check_names, choice, count

PREDICT, EXPLAIN = "/predict", "/explain"

WRITTEN = tuple(answers.WRITERS)  # media types of predictions
FORMS = {"json": JSON, "png": "image/png"}  # of an explanation

USUAL = MANNERS[0], Wanted(), None  # where there is no query


def readers(limits: Limits) -> dict[str, Reader]:
    """What reads the questions to POST, by their path."""
    return {PREDICT: partial(read_predict, limits=limits)}


def endpoints(inference: Inference, limits: Limits) -> dict[str, Endpoint]:
    """What else is answered to POST, by its path."""

    def explain(request: Request) -> Reply:
        args = request.args
        check_names(args, ("normalize", "format", "version"))
        manner = choice(args, "normalize", MANNERS)
        version = count(args, "version", MAX_NUMBER) or None
        if "format" in args:
            written = FORMS[choice(args, "format", tuple(FORMS))]
        else:
            written = choose(request.header("Accept"), tuple(FORMS.values()))
        batch = _batch(request, limits)
        artifact, why = inference.explain(request, batch, manner, version)
        if written == FORMS["png"]:
            from service.pictures import draw  # noqa: PLC0415 - 2 MB that few workers ever need

            answer = draw(batch.images[0], why)
        else:
            answer = answers.explanation(artifact, why, request.id)
        headers = {"Cache-Control": "no-store", MODEL_VERSION: str(artifact.version)}
        return Reply(answer, written, headers=headers)

    return {EXPLAIN: explain}


def read_predict(request: Request, limits: Limits) -> Question:
    """What is asked of ``/predict``; raises RequestError."""
    manner, wanted, version = USUAL
    if request.environ["QUERY_STRING"]:
        args = request.args
        check_names(args, ("normalize", "top_k", "probabilities", "version"))
        wanted = Wanted(
            probabilities=choice(args, "probabilities", ("1", "0")) == "1",
            top_k=count(args, "top_k", CLASSES),
        )
        manner = choice(args, "normalize", MANNERS)
        version = count(args, "version", MAX_NUMBER) or None
    written = choose(request.header("Accept"), WRITTEN)
    write = partial(_write, request_id=request.id, written=written, wanted=wanted)
    return Question(_batch(request, limits), manner, write, version)


def _write(
    artifact: Artifact,
    predictions: Sequence[Prediction],
    *,
    request_id: str,
    written: str,
    wanted: Wanted,
) -> Reply:
    return Reply(answers.WRITERS[written](artifact, predictions, request_id, wanted), written)


def _batch(request: Request, limits: Limits) -> Batch:
    body = receive(request.environ, limits.max_body_bytes)
    return bodies.read(body, request.content_type, limits)
