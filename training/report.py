"""The report of a training run: one HTML file that needs nothing beside itself."""

from collections.abc import Mapping, Sequence
from html import escape
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.architecture import CLASSES, FRAME_SIDE
from model.artifact import Artifact, write_whole
from training import page, pictures
from training.axes import Axis
from training.dataset import Digits
from training.errors import TrainingError
from training.examination import Bin, Examination, examine
from training.pictures import Picture, Series
from training.statistics import interval_in_words, wilson_interval

MOST_MISTAKES = 40
MOST_UNITS = 64
CURVE_POINTS, LEAST_ANSWERED = 150, 0.9
SQUARE = 490  # the height of a chart about as high as wide
MOST_CONFUSIONS = 3  # named in words beside the matrix


def write_report(path: Path, artifact: Artifact, digits: Digits, set_name: str) -> None:
    """Write the report on ``artifact``, which is to read ``digits``, as one HTML file.

    A reader finds all of the file or the one that was there before. Raises
    TrainingError for a path that cannot be written and DataError for no digits.
    """
    document = report(artifact, digits, set_name).encode(errors="backslashreplace")
    try:
        write_whole(path, document)
    except (OSError, ValueError) as error:  # a ValueError for a path that ends in no name
        reason = getattr(error, "strerror", None) or "names no file"
        raise TrainingError(
            f"{path}: the report cannot be written ({reason}); name a file to write"
        ) from None


def report(artifact: Artifact, digits: Digits, set_name: str) -> str:
    """The page as text; the same artifact and digits give the same page."""
    found = examine(artifact.network, artifact.confidence, digits)
    title = f"{artifact.name} version {artifact.version}"
    sections = [
        _header(artifact, len(found), title, set_name),
        _headline(artifact, found),
        _curves(artifact.training.get("epochs") or []),
        _confusions(found),
        _mistakes(found, digits),
        _calibration(found),
        _refusing(found),
        _weights(artifact),
        _making(artifact),
    ]
    return page.page(f"{title} on {set_name}", sections)


# -- sections ---------------------------------------------------------------


def _header(artifact: Artifact, images: int, title: str, set_name: str) -> str:
    return (
        f"<header><h1>{escape(title)}</h1><p>A training run, judged by <b>{images:,} images</b> "
        f"of <b>{escape(set_name)}</b>.<br><code>{escape(artifact.digest())}</code></p></header>"
    )


def _headline(artifact: Artifact, found: Examination) -> str:
    total, correct = len(found), found.correct
    kept = int(found.accepted.sum())
    wrong_kept = int((found.accepted & ~found.right).sum())
    threshold = f"confidence of {artifact.confidence.thresholds.confidence:.2f} or more"
    figures = [
        ("Accuracy", f"{correct / total:.2%}", _interval(correct, total)),
        ("Mistakes", f"{total - correct:,}", f"in {total:,} images"),
        ("Accepted", f"{kept / total:.2%}", f"{_interval(kept, total)}; {threshold}"),
        (
            "Accuracy of what is accepted",
            f"{(kept - wrong_kept) / kept:.2%}" if kept else "none",
            f"{_interval(kept - wrong_kept, kept)}; {wrong_kept:,} mistakes" if kept else "",
        ),
        (
            "Calibration error",
            f"{found.calibration_error():.2%}",
            "how far confidence is from accuracy, on average",
        ),
        (
            "Negative log-likelihood",
            f"{found.negative_log_likelihood():.4f}",
            f"at temperature {artifact.confidence.temperature:.3f}",
        ),
        ("Parameters", f"{artifact.architecture.parameter_count():,}", "numbers that it stores"),
    ]
    return page.figures(figures)


def _curves(epochs: Sequence[Mapping[str, Any]]) -> str:
    if not epochs:
        return page.section("How it learned", "The artifact records no epochs.")
    x = Axis("epoch", whole=True)
    loss = _points(epochs, "loss")
    training = _points(epochs, "accuracy", 100)
    validation = _points(epochs, "validation_accuracy", 100)
    rate = _points(epochs, "learning_rate")
    log = bool(loss) and min(y for _, y in loss) > 0
    wanted = [
        ("Loss", Axis("loss, log scale" if log else "loss", log=log), {"training": loss}),
        ("Accuracy", Axis("accuracy, %"), {"training": training, "validation": validation}),
        ("Learning rate", Axis("learning rate"), {"learning rate": rate}),
    ]
    charts = []
    for title, y, named in wanted:
        series = [Series(name, points) for name, points in named.items() if points]
        if series:
            charts.append(pictures.line_chart(series, title=title, x=x, y=y))
    text = f"{len(epochs):,} {'epoch' if len(epochs) == 1 else 'epochs'}."
    if validation:
        number, best = max(validation, key=lambda point: point[1])
        text += f" Validation accuracy was best after epoch <b>{number:g}</b>: <b>{best:.2f}%</b>."
    return page.section("How it learned", text, page.columns(charts))


def _confusions(found: Examination) -> str:
    counts = found.confusion()
    matrix = pictures.heat_map(
        counts, title="Confusion matrix", row_label="label", column_label="answer"
    )
    images, correct = counts.sum(axis=1), counts.diagonal()
    present = [digit for digit in range(CLASSES) if images[digit]]
    by_digit = Series(
        "accuracy with its 95% interval",
        [(digit, 100 * correct[digit] / images[digit]) for digit in present],
        [_percent(wilson_interval(int(correct[d]), int(images[d]))) for d in present],
        look="points",
    )
    overall = 100 * found.correct / len(found)
    ends = (-0.5, CLASSES - 0.5)
    mean = Series("all digits", [(end, overall) for end in ends], look="guide")
    chart = pictures.line_chart(
        [by_digit, mean],
        title="Accuracy by digit",
        x=Axis("digit", whole=True, limits=ends),
        y=Axis("accuracy, %"),
        height=SQUARE,
    )
    return page.section("What it mixes up", _most_confused(counts), page.columns([matrix, chart]))


def _most_confused(counts: NDArray[np.intp]) -> str:
    pairs = [(int(counts[pair]), pair) for pair in np.ndindex(counts.shape) if pair[0] != pair[1]]
    worst = sorted((pair for pair in pairs if pair[0]), reverse=True)[:MOST_CONFUSIONS]
    if not worst:
        return "Nothing: every answer is right."
    words = [
        f"<b>{label}</b> read as <b>{answer}</b> ({n:,}&times;)" for n, (label, answer) in worst
    ]
    return f"Most often: {', '.join(words)}."


def _mistakes(found: Examination, digits: Digits) -> str:
    worst = found.worst(MOST_MISTAKES)
    if len(worst) == 0:
        return page.section("Its worst mistakes", "It made none on these images.")
    shown = []
    for index in map(int, worst):
        label, answer = int(found.labels[index]), int(found.answers[index])
        confidence = f"{found.confidences[index]:.1%}"
        shown.append(
            Picture(
                pictures.grey_png(digits.images[index]),
                f"image {index}, a {label} read as {answer} with confidence {confidence}",
                caption=f"{label} → {answer}",
                note=confidence,
            )
        )
    grid = pictures.image_grid(shown, label="Worst mistakes", columns=10)
    text = (
        f"The {len(worst)} wrong answers given with the most confidence, of "
        f"{len(found) - found.correct:,}: label → answer, and the confidence."
    )
    return page.section("Its worst mistakes", text, f'<div class="card digits">{grid}</div>')


def _calibration(found: Examination) -> str:
    bins = found.bins()
    points = [(100 * one.confidence, 100 * one.accuracy) for one in bins]
    intervals = [_percent(wilson_interval(one.correct, one.images)) for one in bins]
    # Nearly all bins of a good model lie near 100 %: show that corner, not the empty square.
    lowest = min(value for pair in points + intervals for value in pair)
    limits = (min(95.0, 5 * (lowest // 5)), 100.0)
    chart = pictures.line_chart(
        [
            Series("answers, with 95% interval", points, intervals, "points"),
            Series("ideal", [(end, end) for end in limits], look="guide"),
        ],
        title="Reliability",
        x=Axis("confidence, %", limits=limits),
        y=Axis("share that is right, %", limits=limits),
        height=SQUARE,
    )
    text = (
        "Of answers given with a confidence of 90%, nine in ten should be right. Each of the "
        f"{len(bins)} dots is an equal part of the answers; on the dashed line, confidence is "
        f"accuracy. Expected calibration error: <b>{found.calibration_error():.2%}</b>."
    )
    heads = ("images", "confidence", "right", "accuracy")
    numbers = f'<div class="numbers">{page.table([_bin_row(one) for one in bins], heads)}</div>'
    return page.section("Does it know what it knows?", text, page.columns([chart, numbers]))


def _refusing(found: Examination) -> str:
    risks, total = found.risks(), len(found)
    # Where a good model errs at all: most of the curve lies on the axis.
    kept = np.unique(np.linspace(LEAST_ANSWERED * total, total, CURVE_POINTS).astype(int))
    points = [(100 * k / total, 100 * float(risks[k - 1])) for k in kept.tolist() if k]
    chart = pictures.line_chart(
        [Series("errors among what is answered", points)],
        title="Risk and coverage",
        x=Axis("answered, %, the most confident first", limits=(100 * LEAST_ANSWERED, 100.0)),
        y=Axis("errors, %"),
        height=SQUARE,
    )
    rows = [
        (f"{coverage:.1%}", f"{risks[max(round(coverage * total), 1) - 1]:.2%}")
        for coverage in (1.0, 0.995, 0.99, 0.98, 0.95, 0.9)
    ]
    text = (
        "Who answers only what is surest errs less: the errors that are left when the least "
        f"confident answers are not given. Area under the curve: <b>{risks.mean():.3%}</b>."
    )
    numbers = f'<div class="numbers">{page.table(rows, ("answered", "errors"))}</div>'
    return page.section("What refusing gains", text, page.columns([chart, numbers]))


def _bin_row(one: Bin) -> tuple[str, ...]:
    return f"{one.images:,}", f"{one.confidence:.2%}", f"{one.correct:,}", f"{one.accuracy:.2%}"


def _weights(artifact: Artifact) -> str:
    shapes = artifact.architecture.parameter_shapes()
    first = next(name for name in shapes if name.endswith(".weight"))
    units = unit_weights(artifact.parameters[first])
    if len(units) == 0:
        return ""
    strongest = np.argsort(-np.square(units).sum(axis=(1, 2)), kind="stable")[:MOST_UNITS]
    shown = units[strongest]
    limit = float(np.quantile(np.abs(shown), 0.995)) or 1.0
    which = f"the {len(shown)} strongest of {len(units)}" if len(units) > MOST_UNITS else "all"
    text = (
        f"What each unit of <code>{escape(first)}</code> looks for ({which}): ink on orange speaks "
        "for it, ink on blue against it."
    )
    ramp = f'<div class="ramp">&minus;{limit:.2g}<i></i>+{limit:.2g}</div>'
    grid = pictures.image_grid(
        [Picture(pictures.diverging_png(unit, limit)) for unit in shown],
        label=f"Weights of {len(shown)} units",
        columns=min(max(len(shown), 8), 16),
    )
    return page.section("What the first layer sees", text, f'<div class="card">{ramp}{grid}</div>')


def unit_weights(weight: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """First-layer weights as one picture (U, H, W) a unit.

    weight: dense (784, U), convolution kernels (U, 1, H, W) or depthwise ones
    (U, H, W); of another shape there is nothing to see, and U is 0.
    """
    if weight.ndim == 2 and len(weight) == FRAME_SIDE * FRAME_SIDE:  # noqa: PLR2004 - (I, O)
        return weight.T.reshape(-1, FRAME_SIDE, FRAME_SIDE)
    if weight.ndim == 4 and weight.shape[1] == 1:  # noqa: PLR2004 - (O, I, H, W)
        return weight[:, 0]
    return weight if weight.ndim == 3 else np.empty((0, 1, 1), weight.dtype)  # noqa: PLR2004 - (C, H, W)


def _making(artifact: Artifact) -> str:
    record = artifact.training
    shapes = artifact.architecture.parameter_shapes()
    layers = [_layer_row(layer, shapes) for layer in artifact.architecture.to_json()]
    setting = {
        "source revision": record.get("source_revision", "unknown"),
        **{key: record[key] for key in ("images", "held_out") if key in record},
        **record.get("machine", {}),
    }
    cards = [
        ("The recipe", page.table(list(page.flat(record.get("recipe", {}))))),
        ("The network", page.table(layers, ("layer", "details", "numbers"))),
        ("The environment", page.table(list(page.flat(setting)))),
        ("The data, by SHA-256", page.table(list(page.flat(record.get("data", {}))), code=True)),
    ]
    blocks = [f"<h3>{title}</h3>{table}" for title, table in cards]
    return page.section("How to make it again", "", page.masonry(blocks))


def _layer_row(layer: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]) -> tuple[str, ...]:
    numbers = sum(
        prod(shape) for name, shape in shapes.items() if name.split(".")[0] == layer.get("name")
    )
    details = [f"{key} {page.plain(value)}" for key, value in layer.items() if key != "type"]
    return str(layer["type"]), ", ".join(details), f"{numbers:,}"


# -- parts ------------------------------------------------------------------


def _points(
    epochs: Sequence[Mapping[str, Any]], key: str, factor: float = 1
) -> list[tuple[float, float]]:
    """One figure by epoch, without the epochs that do not have it."""
    return [
        (epoch.get("number", place), factor * epoch[key])
        for place, epoch in enumerate(epochs, start=1)
        if epoch.get(key) is not None
    ]


def _interval(successes: int, trials: int) -> str:
    return f"95% interval {interval_in_words(successes, trials)}"


def _percent(interval: tuple[float, float]) -> tuple[float, float]:
    return 100 * interval[0], 100 * interval[1]
