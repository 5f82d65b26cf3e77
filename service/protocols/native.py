"""The native endpoints: every kind of body, one shape of answer."""

from collections.abc import Sequence
from dataclasses import dataclass

from model import Prediction
from model.architecture import CLASSES
from model.frame import MANNERS, Manner
from service import answers, bodies
from service.answers import JSON, Wanted
from service.batches import Batch
from service.exchange import Endpoint, Reply, Request
from service.inference import Inference
from service.limits import Limits, receive
from service.negotiation import choose
from service.queries import check_names, choice, count

PREDICT, EXPLAIN = "/predict", "/explain"

FORMS = {"json": JSON, "png": "image/png"}  # of an explanation


USUAL = Wanted()


@dataclass(frozen=True)
class Asked:
    """A request that was read. written: the media type of the answer."""

    batch: Batch
    manner: Manner
    written: str
    wanted: Wanted = USUAL


def endpoints(inference: Inference, limits: Limits) -> dict[str, Endpoint]:
    """What is answered to POST, by its path."""
    artifact = inference.classifier.artifact

    def predict(request: Request) -> Reply:
        def write(asked: Asked, predictions: Sequence[Prediction]) -> Reply:
            writer = answers.WRITERS[asked.written]
            return Reply(writer(artifact, predictions, request.id, asked.wanted), asked.written)

        return inference.answer(lambda: read_predict(request, limits), write)

    def explain(request: Request) -> Reply:
        asked = read_explain(request, limits)
        why = inference.explain(asked)
        if asked.written == FORMS["png"]:
            from service.pictures import draw  # noqa: PLC0415 - 2 MB that few workers ever need

            answer = draw(asked.batch.images[0], why)
        else:
            answer = answers.explanation(artifact, why, request.id)
        return Reply(answer, asked.written, headers={"Cache-Control": "no-store"})

    return {PREDICT: predict, EXPLAIN: explain}


def read_predict(request: Request, limits: Limits) -> Asked:
    """What is asked of ``/predict``; raises RequestError."""
    args = request.args
    check_names(args, ("normalize", "top_k", "probabilities"))
    wanted = Wanted(
        probabilities=choice(args, "probabilities", ("1", "0")) == "1",
        top_k=count(args, "top_k", CLASSES),
    )
    manner = choice(args, "normalize", MANNERS)
    written = choose(request.header("Accept"), tuple(answers.WRITERS))
    return Asked(_batch(request, limits), manner, written, wanted)


def read_explain(request: Request, limits: Limits) -> Asked:
    """What is asked of ``/explain``; raises RequestError."""
    args = request.args
    check_names(args, ("normalize", "format"))
    manner = choice(args, "normalize", MANNERS)
    if "format" in args:
        written = FORMS[choice(args, "format", tuple(FORMS))]
    else:
        written = choose(request.header("Accept"), tuple(FORMS.values()))
    return Asked(_batch(request, limits), manner, written)


def _batch(request: Request, limits: Limits) -> Batch:
    body = receive(request.environ, limits.max_body_bytes)
    return bodies.read(body, request.content_type, limits)
