"""The native endpoints: every kind of body, one shape of answer."""

from typing import Literal, TypeAlias

from flask import Blueprint, Response, g, request

from model.architecture import CLASSES
from model.frame import MANNERS
from service import answers, bodies
from service.answers import JSON, Wanted
from service.batches import Batch
from service.inference import Inference
from service.limits import Limits, receive
from service.negotiation import choose
from service.queries import check_names, choice, count

Form: TypeAlias = Literal["json", "png"]
FORMS: dict[Form, str] = {"json": JSON, "png": "image/png"}  # of an explanation


def blueprint(inference: Inference, limits: Limits) -> Blueprint:
    """The native routes of one application over its parts."""
    routes = Blueprint("native", __name__)
    artifact = inference.classifier.artifact

    def batch() -> Batch:
        body = receive(request.environ, limits.max_body_bytes)
        return bodies.read(body, request.headers.get("Content-Type"), limits)

    @routes.post("/predict")
    def predict() -> Response:
        args = request.args
        check_names(args, ("normalize", "top_k", "probabilities"))
        wanted = Wanted(
            probabilities=choice(args, "probabilities", ("1", "0")) == "1",
            top_k=count(args, "top_k", CLASSES),
        )
        written = choose(request.headers.get("Accept"), tuple(answers.WRITERS))
        answer = inference.answer(
            batch,
            lambda said: answers.WRITERS[written](artifact, said, g.request_id, wanted),
            choice(args, "normalize", MANNERS),
        )
        return Response(answer, content_type=written)

    @routes.post("/explain")
    def explain() -> Response:
        args = request.args
        check_names(args, ("normalize", "format"))
        manner = choice(args, "normalize", MANNERS)
        if "format" in args:
            written = FORMS[choice(args, "format", tuple(FORMS))]
        else:
            written = choose(request.headers.get("Accept"), tuple(FORMS.values()))
        asked = batch()
        why = inference.explain(asked, manner)
        if written == FORMS["png"]:
            from service.pictures import draw  # noqa: PLC0415 - 2 MB that few workers ever need

            answer = draw(asked.images[0], why)
        else:
            answer = answers.explanation(artifact, why, g.request_id)
        response = Response(answer, content_type=written)
        response.cache_control.no_store = True
        return response

    return routes
