import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.architecture import mlp
from model.artifact import Artifact
from tests.helpers import table
from tests.training.known_answers import answered, examined, reader
from tests.training.markup import Element, parse
from training.dataset import Digits
from training.errors import TrainingError
from training.pictures import diverging_png, grey_png
from training.report import report, unit_weights, write_report
from training.statistics import wilson_interval

HOSTILE = "<script>alert('&\"')</script>"

TRAINING = {
    "recipe": {"name": "tiny", "hidden": [16, 8], "optimizer": {"learning_rate": 0.01}},
    "data": {"train-images-idx3-ubyte": "ba89" * 16},
    "images": 540,
    "held_out": "writers",
    "source_revision": "007e4130",
    "machine": {"cpu": "A 64", "blas": {"version": "0.3.31"}, "numpy": "2.4.6"},
    "epochs": [
        {"number": n, "loss": 1 / n, "accuracy": 0.9, "validation_accuracy": 0.5 + 0.01 * (n % 4)}
        | {"learning_rate": 0.01}
        for n in range(1, 7)
    ],
}

# Two of each digit read right, and mistakes from very sure to unsure.
RIGHT = [(digit, digit, 255) for digit in range(10)] * 2
WRONG = [(4, 9, 250), (4, 9, 240), (7, 1, 200), (5, 3, 100), (2, 2, 180)]


def page(
    artifact: Artifact | None = None, digits: Digits | None = None, set_name: str = "a set"
) -> Element:
    artifact = artifact or reader(training=TRAINING)
    return parse(report(artifact, digits or answered(RIGHT + WRONG), set_name))


def section(root: Element, title: str) -> Element:
    found = [part for part in root.all("section") if part.all("h2")[0].text == title]
    assert len(found) == 1, [part.all("h2")[0].text for part in root.all("section")]
    return found[0]


def figures(root: Element) -> dict[str, str]:
    return {
        card.all("dt")[0].text: " | ".join(dd.text for dd in card.all("dd"))
        for card in root.classes("figures")[0].classes("card")
    }


def chart_titles(root: Element) -> list[str]:
    return [svg.children[0].text for svg in root.all("svg")]


# -- the file ---------------------------------------------------------------


def test_the_file_is_whole_and_the_same_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.html"
    artifact, digits = reader(training=TRAINING), answered(RIGHT + WRONG)
    write_report(path, artifact, digits, "a set")
    first = path.read_bytes()
    write_report(path, artifact, digits, "a set")
    assert path.read_bytes() == first
    assert first.startswith(b"<!DOCTYPE html>")
    assert first.endswith(b"</html>\n")
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]


@table("name", {"a folder": "taken", "under a file": "file/report.html", "no name": "/"})
def test_a_path_that_cannot_be_written_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(TrainingError, match="the report cannot be written") as info:
        write_report(tmp_path / name, reader(), answered(RIGHT), "a set")
    assert str(tmp_path / name) in str(info.value)


def test_nothing_is_fetched_and_nothing_runs() -> None:
    html = report(reader(training=TRAINING), answered(RIGHT + WRONG), "a set")
    for word in ("http:", "https:", "url(", "@import", "<script", "<link", "javascript:"):
        assert word not in html
    root = parse(html)
    for element in (tag for kind in ("img", "a", "svg") for tag in root.all(kind)):
        assert "href" not in element.attributes
        assert element.attributes.get("src", "data:").startswith("data:")
    policy = next(meta for meta in root.all("meta") if "http-equiv" in meta.attributes)
    assert policy.attributes["content"].startswith("default-src 'none'; img-src data:;")


def test_the_page_suits_dark_rooms_and_phones() -> None:
    html = report(reader(), answered(RIGHT), "a set")
    assert "prefers-color-scheme: dark" in html
    assert "width=device-width" in html


def test_whatever_is_recorded_is_text_and_no_markup() -> None:
    training = {
        "recipe": {HOSTILE: {HOSTILE: [HOSTILE]}},
        "data": {HOSTILE: HOSTILE},
        "machine": {HOSTILE: HOSTILE},
        "source_revision": HOSTILE,
    }
    root = page(reader(training=training), set_name=HOSTILE)
    assert not root.all("script")
    assert HOSTILE in root.all("header")[0].text
    assert section(root, "How to make it again").text.count(HOSTILE) >= 6


# -- what it says -----------------------------------------------------------


def test_the_headline_has_figures_with_intervals() -> None:
    digits = answered(RIGHT + WRONG)
    found = figures(page(reader(threshold=0.9), digits))
    low, high = wilson_interval(21, 25)
    assert found["Accuracy"] == f"84.00% | 95% interval {low:.2%} to {high:.2%}"
    assert found["Mistakes"] == "4 | in 25 images"
    # Answers at 255, 250, 240, 200 and 180 are of 0.9 and more, the 5 at 100 is not.
    assert found["Accepted"].startswith("96.00% | 95% interval")
    assert found["Accuracy of what is accepted"].startswith("87.50% | 95% interval")
    assert found["Accuracy of what is accepted"].endswith("3 mistakes")
    error = examined(reader(), digits).calibration_error()
    assert found["Calibration error"].startswith(f"{error:.2%}")
    assert found["Parameters"].startswith("7,850")


def test_what_is_of_too_little_energy_is_not_accepted() -> None:
    # A logit of 10 or 9.8 beside nine of 0 suffices, and one of 9.4, at 240, does not.
    found = figures(page(reader(energy=9.6), answered(RIGHT + WRONG)))
    assert found["Accepted"].startswith("84.00% | 95% interval")
    assert found["Accuracy of what is accepted"].endswith("1 mistakes")


def test_nothing_accepted_has_no_accuracy() -> None:
    assert figures(page(reader(threshold=1.0)))["Accuracy of what is accepted"].startswith("none")


def test_every_number_of_the_confusion_matrix_is_there() -> None:
    digits = answered(RIGHT + WRONG)
    part = section(page(digits=digits), "What it mixes up")
    shown = [int(cell.text) for cell in part.classes("count")]
    assert shown == examined(reader(), digits).confusion().ravel().tolist()
    assert "4 read as 9 (2\N{MULTIPLICATION SIGN})" in part.text
    assert chart_titles(part) == ["Confusion matrix", "Accuracy by digit"]


def test_the_worst_mistakes_are_shown_surest_first() -> None:
    digits = answered(RIGHT + WRONG)
    part = section(page(digits=digits), "Its worst mistakes")
    captions = [figure.all("figcaption")[0].text for figure in part.all("figure")]
    assert [caption[:5] for caption in captions] == ["4 → 9", "4 → 9", "7 → 1", "5 → 3"]
    sure = [float(caption[5:].rstrip("%")) for caption in captions]
    assert sure == sorted(sure, reverse=True)
    images = part.all("img")
    assert [image.attributes["src"] for image in images] == [
        grey_png(image) for image in digits.images[20:24]
    ]
    assert images[2].attributes["alt"].startswith("image 22, a 7 read as 1 with confidence 99.")


def test_no_more_than_forty_mistakes_are_shown() -> None:
    part = section(page(digits=answered([(1, 2, 200)] * 57)), "Its worst mistakes")
    assert len(part.all("figure")) == 40
    assert "The 40 wrong answers given with the most confidence, of 57" in part.text


def test_the_reliability_diagram_has_fifteen_bins_and_their_error() -> None:
    digits = answered(RIGHT + WRONG)
    part = section(page(digits=digits), "Does it know what it knows?")
    assert chart_titles(part) == ["Reliability"]
    assert len([dot for dot in part.all("circle") if dot.all("title")]) == 15
    rows = [[cell.text for cell in row.children] for row in part.all("tr")[1:]]
    assert sum(int(row[0]) for row in rows) == 25
    assert sum(int(row[2]) for row in rows) == 21
    assert f"{examined(reader(), digits).calibration_error():.2%}" in part.text


def test_what_refusing_gains_is_told_by_coverage() -> None:
    digits = answered(RIGHT + WRONG)
    part = section(page(digits=digits), "What refusing gains")
    assert chart_titles(part) == ["Risk and coverage"]
    risks = examined(reader(), digits).risks()
    assert f"{risks.mean():.3%}" in part.text
    rows = [[cell.text for cell in row.children] for row in part.all("tr")[1:]]
    assert rows[0] == ["100.0%", f"{risks[-1]:.2%}"] == ["100.0%", "16.00%"]
    assert [row[0] for row in rows] == ["100.0%", "99.5%", "99.0%", "98.0%", "95.0%", "90.0%"]
    assert rows[-1][1] == f"{risks[21]:.2%}"  # 22 of 25; whoever answers less errs less


def test_recipe_network_and_environment_are_told() -> None:
    part = section(page(), "How to make it again")
    rows = [[cell.text for cell in row.children] for row in part.all("tr")]
    for row in (
        ["name", "tiny"],
        ["hidden", "[16, 8]"],
        ["optimizer.learning_rate", "0.01"],
        ["source revision", "007e4130"],
        ["held_out", "writers"],
        ["blas.version", "0.3.31"],
        ["train-images-idx3-ubyte", "ba89" * 16],
        ["dense", "name dense1, inputs 784, outputs 10", "7,850"],
    ):
        assert row in rows


# -- curves -----------------------------------------------------------------


def test_the_curves_are_those_of_the_epochs() -> None:
    part = section(page(), "How it learned")
    assert chart_titles(part) == ["Loss", "Accuracy", "Learning rate"]
    assert "training: 6 points from 1 to 0.1667" in part.all("svg")[0].attributes["aria-label"]
    spoken = part.all("svg")[1].attributes["aria-label"]
    assert "training: 6 points from 90 to 90" in spoken
    assert "validation: 6 points from 51 to 52, least 50, greatest 53" in spoken
    assert "best after epoch 3: 53.00%" in part.text


@table(
    "epochs, titles, words",
    {
        "none recorded": ([], [], "records no epochs"),
        "one": ([{"number": 1, "loss": 0.5, "accuracy": 0.9}], ["Loss", "Accuracy"], "1 epoch."),
        "loss alone": ([{"number": 1, "loss": 2.0}, {"number": 2, "loss": 1.0}], ["Loss"], "2 ep"),
        "no validation": (
            [
                {"number": n, "loss": 0.1, "accuracy": 1.0, "validation_accuracy": None}
                for n in (1, 2)
            ],
            ["Loss", "Accuracy"],
            "2 epochs.",
        ),
        "no loss left": ([{"number": n, "loss": 0.0} for n in (1, 2, 3)], ["Loss"], "3 epochs."),
    },
)
def test_what_an_epoch_lacks_is_left_out(
    epochs: list[Mapping[str, Any]], titles: list[str], words: str
) -> None:
    part = section(page(reader(training={"epochs": epochs})), "How it learned")
    assert chart_titles(part) == titles
    assert words in part.text
    assert "best after" not in part.text


def test_hundreds_of_epochs_are_thinned() -> None:
    epochs = [{"number": n, "loss": 1 + n % 7} for n in range(1, 3001)]
    part = section(page(reader(training={"epochs": epochs})), "How it learned")
    (line,) = part.all("polyline")
    assert len(line.attributes["points"].split()) <= 500
    assert "3,000 epochs." in part.text


# -- corners ----------------------------------------------------------------


def test_a_model_without_mistakes_has_a_report() -> None:
    root = page(digits=answered(RIGHT))
    assert "It made none" in section(root, "Its worst mistakes").text
    assert "every answer is right" in section(root, "What it mixes up").text
    assert figures(root)["Accuracy"].startswith("100.00%")


def test_a_single_image_has_a_report() -> None:
    assert figures(page(reader(), answered([(3, 3, 255)])))["Mistakes"] == "0 | in 1 images"


def test_the_sixty_four_strongest_units_are_shown() -> None:
    architecture = mlp(784, 100, 10)
    parameters = {
        name: np.zeros(shape, np.float32) for name, shape in architecture.parameter_shapes().items()
    }
    weight = parameters["dense1.weight"]
    weight[200 + np.arange(100), np.arange(100)] = np.arange(100)  # the last is the strongest
    artifact = dataclasses.replace(reader(), architecture=architecture, parameters=parameters)
    part = section(page(artifact), "What the first layer sees")
    assert "the 64 strongest of 100" in part.text
    images = [image.attributes["src"] for image in part.all("img")]
    assert len(images) == 64
    for image, unit in ((images[0], 99), (images[-1], 36)):
        assert image == diverging_png(weight[:, unit].reshape(28, 28), limit=1.0)


@table(
    "shape, pictures",
    {
        "dense": ((784, 12), (12, 28, 28)),
        "kernels": ((16, 1, 5, 5), (16, 5, 5)),
        "depthwise": ((1, 3, 3), (1, 3, 3)),
        "rows that are no image": ((100, 10), (0, 1, 1)),
        "kernels of many channels": ((16, 8, 3, 3), (0, 1, 1)),
    },
)
def test_first_layer_weights_become_pictures(
    shape: tuple[int, ...], pictures: tuple[int, ...]
) -> None:
    weight = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    found = unit_weights(weight)
    assert found.shape == pictures
    if len(shape) == 2 and len(found):
        np.testing.assert_array_equal(found[3].ravel(), weight[:, 3])
    elif len(found):
        np.testing.assert_array_equal(found.ravel(), weight.ravel())


def test_the_weights_of_every_unit_are_pictures() -> None:
    part = section(page(), "What the first layer sees")
    assert len(part.all("img")) == 10
    assert re.search(r"dense1\.weight looks for \(all\)", part.text)


def test_all_zero_weights_are_drawn() -> None:
    blind = dataclasses.replace(reader(), training={})
    zero = {name: np.zeros_like(array) for name, array in blind.parameters.items()}
    part = section(page(dataclasses.replace(blind, parameters=zero)), "What the first layer sees")
    assert len(part.all("img")) == 10
