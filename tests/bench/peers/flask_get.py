"""Flask's least: a GET that answers a small JSON. No model at all."""

from flask import Flask

app = Flask(__name__)


@app.get("/")
def index() -> dict[str, str]:
    return {"status": "alive"}
