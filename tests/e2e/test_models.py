"""The model card, as those who run a service and those who hold the file see it."""

import json

from tests.helpers import run_module
from tests.server import Server


def test_the_service_and_the_command_line_show_the_same_card(server: Server) -> None:
    with server.client() as client:
        model = client.get("/models").json["models"][0]
        answer = client.get(model["card"])
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.json == json.loads(run_module("model", "show", "--json").stdout)
    assert answer.json["model_details"]["digest"] == model["digest"]
