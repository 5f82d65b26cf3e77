"""The model card: what a model is, what it is for and what it is not.

The headings are those of Mitchell et al. 2019, "Model Cards for Model Reporting". What
holds for every model of this project is written here; the rest is read off the artifact.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, TypeAlias

from model import text
from model.artifact import FORMAT, Artifact

Card: TypeAlias = dict[str, Any]

NOT_MEASURED = "not measured"
NOT_RECORDED = "not recorded"

HEADINGS = {
    "model_details": "Model Details",
    "intended_use": "Intended Use",
    "factors": "Factors",
    "metrics": "Metrics",
    "evaluation_data": "Evaluation Data",
    "training_data": "Training Data",
    "quantitative_analyses": "Quantitative Analyses",
    "ethical_considerations": "Ethical Considerations",
    "caveats_and_recommendations": "Caveats and Recommendations",
}

# -- what holds for every model -----------------------------------------------

DESCRIPTION = (
    "A feed-forward network that reads one handwritten digit, trained and served by this "
    "project's own NumPy code. Where images were held out of training, its probabilities are "
    "calibrated on them, and what it refuses is decided on them."
)

INTENDED_USE = {
    "primary_use": "Reading one handwritten digit, 0 to 9, in each image.",
    "users": [
        "Developers who need single digits read: boxes of a form, drawings on a screen.",
        "Those who learn or teach how such networks are trained, measured and served.",
    ],
    "out_of_scope": [
        "Several digits in one image: cut them apart first, or use another model.",
        "Letters, signs, printed or seven-segment figures, numerals other than 0 to 9.",
        "Cheques, votes, marks, doses: any decision about people that nobody reviews.",
        "Telling who wrote a digit.",
    ],
}

FACTORS = {
    "writer": "People write differently. Where the data set tells who wrote what, nobody who wrote "
    "evaluation images wrote any of those trained on.",
    "digit_forms": "MNIST has the forms of its place and time: sevens with a bar and ones with a "
    "foot are rare in it.",
    "instrument": "Pens on paper, scanned. Drawings by mouse or finger and photographs differ in "
    "stroke width, sharpness and ground; the normalizer evens out polarity, size and place.",
    "not_known": "Age, country, hand and health of the writers: MNIST records none of these.",
    "reported": "Figures are given by digit and, where they were measured, by half of the test "
    "set, for drawings, for scenes and for corrupted images.",
}

METRICS = {
    "accuracy": "Share of the images that are read right, refused or not.",
    "interval_95": "95 % score interval of that share (Wilson 1927), as if images were "
    "independent.",
    "interval_95_by_writers": "The same by a bootstrap over writers, whose digits are alike: "
    "the more honest of the two.",
    "negative_log_likelihood": "Mean of -ln of the probability given to the right digit.",
    "expected_calibration_error": "Mean distance between confidence and accuracy, over bins "
    "of equally many images (Naeini et al. 2015).",
    "errors_at_coverage": "Share of errors among the most confident 99 or 98 % of the answers.",
    "area_under_risk_coverage": "Mean of that share over all coverages; smaller is better.",
    "unnormalized": "Images as they are, resized by area: what is read without the normalizer.",
    "accepted": "Answers that reach all thresholds; all others are refused, with a reason.",
    "errors_accepted": "Accepted answers that are wrong: the errors that reach a user.",
    "thresholds": "Chosen on the validation set, never on the test set.",
}

# What is usually measured. An evaluation may lack some of these and have others.
SETS = {
    "validation": "Held out of the training data, by writers where they are known. Temperature "
    "and thresholds are fitted on it, so for these it is no proof.",
    "test": "The test half of the data, read once when the model was finished and never to "
    "choose. MNIST's has 10 000 images by 297 writers, of whom none wrote training images "
    "(Yadav and Bottou 2019); half were employees of the American census, half high-school "
    "students.",
    "seeds": "The same recipe trained again from other seeds: what of a figure is luck.",
    "drawings": "Digits drawn on a screen, in many stroke widths; none was trained on.",
    "scenes": "Digits of the test set as people send them: written with any pen, on ruled paper, "
    "forms, old registers, envelopes and screens, in uneven light, compressed; and the same "
    "resized to a frame without the normalizer.",
    "robustness": "Digits with the corruptions of MNIST-C (Mu and Gilmer 2019), such as noise, "
    "blur and shear.",
    "refusals": "Images that are not one digit, such as letters and scribbles: how many are "
    "refused.",
}

MNIST = (
    "MNIST (LeCun et al. 1998): 60 000 images of digits, written on forms by employees of the "
    "American census and by high-school students around 1990, scanned, scaled into 20 by "
    "20 pixels and centred by mass in 28 by 28. Part is held out for validation."
)
OTHER_DATA = (
    "The file or folder that the recipe names. Only its maker can tell where it comes from, "
    "and what this card says of MNIST need not hold for it."
)

ETHICAL_CONSIDERATIONS = {
    "people": "MNIST's writers were American adults and teenagers. Children, people with a tremor "
    "and people who learned to write elsewhere may be misread more often, and no figure here "
    "would show it.",
    "harm": "A wrong digit can be given with full confidence. Where one would harm somebody, a "
    "person has to look at the image, whatever the confidence.",
    "refusals": "Being refused costs time, too: offer another way in, and watch who needs it.",
    "privacy": "The images show single digits and no names. Writers' numbers serve to keep the "
    "writers of training and evaluation apart; neither they nor images are in the artifact.",
}

CAVEATS_AND_RECOMMENDATIONS = {
    "other_images": "Accuracy on MNIST is accuracy on clean scans. Measure on images of your own "
    "before you rely on it.",
    "accepted": "An answer that is not accepted is a guess: do not use it. Not everything that is "
    "no digit is refused.",
    "orientation": "A half turn makes a 9 of a 6: send images upright.",
    "clutter": "Ruled lines, fields, shadows and specks are taken away where they are sure to be "
    "none of the digit's strokes: a crop to the digit is safer still.",
    "small_differences": "MNIST's test set has been read by very many models, and some of its "
    "labels are wrong (Northcutt et al. 2021): a few images more or less mean nothing.",
}


# -- what differs -------------------------------------------------------------


def card(artifact: Artifact) -> Card:
    """The card of one model as JSON values, a field for each of ``HEADINGS``."""
    evaluation = artifact.evaluation
    missing = [name for name in SETS if evaluation.get(name) in (None, {}, [])]
    return {
        "model_details": _model_details(artifact),
        "intended_use": INTENDED_USE,
        "factors": FACTORS,
        "metrics": METRICS,
        "evaluation_data": SETS,
        "training_data": _training_data(artifact.training),
        "quantitative_analyses": {**evaluation, **dict.fromkeys(missing, NOT_MEASURED)},
        "ethical_considerations": ETHICAL_CONSIDERATIONS,
        "caveats_and_recommendations": CAVEATS_AND_RECOMMENDATIONS,
    }


def _model_details(artifact: Artifact) -> dict[str, Any]:
    return {
        "name": artifact.name,
        "version": artifact.version,
        "digest": artifact.digest(),
        "format": f"{FORMAT} version {artifact.format_version}",
        "description": DESCRIPTION,
        "parameters": artifact.architecture.parameter_count(),
        "architecture": artifact.architecture.to_json(),
        "normalizer_version": artifact.normalizer_version,
        "temperature": artifact.confidence.temperature,
        "thresholds": asdict(artifact.confidence.thresholds),
        "training": _training(artifact.training) or NOT_RECORDED,
    }


def _training(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record without what the card has elsewhere, and of all epochs the last."""
    elsewhere = {"data", "images", "held_out", "epochs"}
    shown = {name: value for name, value in record.items() if name not in elsewhere}
    recipe = _object(record, "recipe")
    if recipe:
        shown["recipe"] = {k: v for k, v in recipe.items() if k != "architecture"}
    epochs = record.get("epochs")
    if isinstance(epochs, list) and epochs:
        shown["last_epoch"] = epochs[-1]
    return shown


def _training_data(record: Mapping[str, Any]) -> dict[str, Any]:
    source = _object(_object(record, "recipe"), "data").get("source")
    description = MNIST if source == "mnist" else OTHER_DATA
    return {
        "source": source or NOT_RECORDED,
        "description": description if source else NOT_RECORDED,
        "images": record.get("images", NOT_RECORDED),
        "held_out": record.get("held_out", NOT_RECORDED),
        "sha256": record.get("data", NOT_RECORDED),
    }


def _object(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The object of that name; empty where there is none, for a record may hold anything."""
    value = values.get(name)
    return value if isinstance(value, dict) else {}


def to_text(document: Card) -> str:
    """What ``card`` returns, for a terminal: 80 columns at most, without a final newline."""
    details = document["model_details"]
    title = f"Model card of {details['name']} version {details['version']}"
    pages = [title, "=" * len(title)]
    for name, content in document.items():
        heading = HEADINGS[name]
        pages += ["", heading, "-" * len(heading), *text.lines(content)]
    return "\n".join(pages)
