"""The image of the retraining job: what is in it, and that it changes a store."""

import pytest

from tests.container.conftest import Engine, EngineError, job, volume

MODEL = ("--entrypoint=python",)


def test_its_configuration_is_what_an_orchestrator_needs(
    engine: Engine, training_image: str
) -> None:
    config = engine.inspect("image", training_image)["Config"]
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == ["dumb-init", "--single-child", "--", "python", "-m", "training"]


def test_it_does_what_is_named(engine: Engine, training_image: str) -> None:
    assert "retrain" in job(engine, training_image, "--help")


def test_a_new_volume_begins_as_the_shipped_store(engine: Engine, training_image: str) -> None:
    with volume(engine) as store:
        options = (f"--volume={store}:/models", *MODEL)

        def model(*words: str) -> str:
            return job(engine, training_image, "-m", "model", *words, options=options)

        assert model("seed") == "nothing to change"
        assert "previous is version 2" in model("promote", "1")
        assert "champion" in model("list")


def test_what_is_missing_is_said_in_a_line(engine: Engine, training_image: str) -> None:
    with pytest.raises(EngineError, match="error: ") as failed:
        job(engine, training_image, "retrain", "/data/none.npz")
    assert "Traceback" not in str(failed.value)
