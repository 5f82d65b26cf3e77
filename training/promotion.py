"""From a candidate to its verdict, its record and its reports, and perhaps to the alias."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from model import artifact as artifacts
from model.artifact import Artifact, write_whole
from model.store import Store, locate
from training import gate, page, tables
from training.dataset import Mnist
from training.errors import GateError, TrainingError
from training.gate import Bounds, Judgement
from training.rows import Digits
from training.standing import SIZES, Sizes, figures


@dataclass(frozen=True)
class Judged:
    """A candidate with its gate's report in its record, and the judgement itself."""

    candidate: Artifact
    judgement: Judgement


def judged(  # noqa: PLR0913 - the last three may be left out
    champion: Artifact,
    candidate: Artifact,
    data: Mnist,
    drawn: Digits | None,
    *,
    new: Digits | None = None,
    bounds: Bounds = gate.BOUNDS,
    sizes: Sizes = SIZES,
) -> Judged:
    """Measure both and judge; raises TrainingError."""
    found = figures(champion, candidate, data, drawn, new=new, sizes=sizes)
    judgement = gate.judge(found, bounds)
    evaluation = {**candidate.evaluation, "gate": _record(champion, judgement, bounds)}
    return Judged(dataclasses.replace(candidate, evaluation=evaluation), judgement)


def _record(champion: Artifact, judgement: Judgement, bounds: Bounds) -> dict[str, Any]:
    return {
        **gate.to_json(judgement),
        "bounds": tables.to_json(bounds),
        "champion": {"version": champion.version, "digest": champion.digest()},
        "writers": judgement.figures.writers or "not known",
    }


def write_reports(folder: Path, found: Judged, screening: dict[str, Any]) -> Path:
    """Write gate.json, gate.txt and gate.html, whole each; returns the last.

    screening: what became of the new images, nothing where there were none. Raises TrainingError.
    """
    record = {**found.candidate.evaluation["gate"], "new_images": screening}
    texts = {
        "gate.json": json.dumps(record, indent=2),
        "gate.txt": gate.to_text(found.judgement),
        "gate.html": to_html(found, screening),
    }
    for name, text in texts.items():
        try:
            write_whole(folder / name, f"{text}\n".encode())
        except OSError as error:
            raise TrainingError(
                f"{folder / name}: cannot be written ({error.strerror}); name another folder"
            ) from None
    return folder / "gate.html"


def to_html(found: Judged, screening: dict[str, Any]) -> str:
    """The judgement as a page."""
    candidate, judgement = found.candidate, found.judgement
    record = candidate.evaluation["gate"]
    broken = [check.name for check in judgement.checks if not check.holds]
    better = ", ".join(judgement.better_on)
    cards = [
        ("Verdict", str(judgement.verdict), "promote, keep or reject"),
        ("Bounds broken", str(len(broken)), ", ".join(broken) or "every bound holds"),
        ("Better on", str(len(judgement.better_on)), better or "nothing, beyond chance"),
    ]
    words = "<br>".join(map(escape, gate.better_in_words(judgement)))
    heads = ("", "by", "at most", "", "")
    parts = [
        _header(candidate, record["champion"]),
        page.figures(cards),
        page.section("Bounds", "", page.columns([page.table(gate.rows(judgement), heads)])),
        page.section("Is it better?", words),
    ]
    for title, values in (
        ("The new images", screening),
        ("How it was made", candidate.training.get("retraining", {})),
    ):
        if values:
            parts.append(
                page.section(title, "", page.columns([page.table(list(page.flat(values)))]))
            )
    return page.page(f"{candidate.name} version {candidate.version}: {judgement.verdict}", parts)


def _header(candidate: Artifact, champion: Mapping[str, Any]) -> str:
    return (
        f"<header><h1>{escape(candidate.name)} version {candidate.version} at the gate</h1>"
        f"<p>Against the champion, version {champion['version']}.<br>"
        f"<code>{escape(champion['digest'])}</code></p></header>"
    )


@dataclass(frozen=True)
class Rival:
    """Whom a candidate is made from and held against; was: where the store's alias pointed."""

    artifact: Artifact
    was: int | None


def rival(store: Store, named: Path | None, *, to_promote: bool) -> Rival:
    """The artifact that is named, else the store's champion, or the release's where it has none.

    Raises ArtifactError, and GateError where its successor could not be promoted, since the
    store has another champion, or takes signed models only.
    """
    if to_promote and store.trust is not None:
        raise GateError(
            "--promote: DIGITS_MODEL_KEY is set, and nobody has signed what is yet to be trained; "
            "leave out --promote, then sign the model and promote it (python -m model)"
        )
    was = store.aliases().get("champion")
    path = locate() if was is None else store.path(was)
    champion = artifacts.read(path, trust=store.trust)
    if named is None:
        return Rival(champion, was)
    found = artifacts.read(named, trust=store.trust)
    if to_promote and was is not None and found.digest() != champion.digest():
        raise GateError(
            f"{named}: is not the champion of {store.root}, which is version {was}; "
            "leave out --champion, or --promote"
        )
    return Rival(found, was)


def promote(store: Store, path: Path, beaten: Rival, why: str) -> int:
    """Make the candidate at ``path`` the champion of its store; returns its version.

    In a store that had no champion, the one it was held against is put in first, so that there
    is where a rollback goes. why: for the store's history. Raises GateError where the alias has
    moved meanwhile, as that is another champion than the one the candidate was held against, and
    what the store raises.
    """
    if store.aliases().get("champion") != beaten.was:
        raise GateError(
            f"{store.root}: another champion was promoted meanwhile; "
            f"judge {path} against that one first"
        )
    if beaten.was is None:
        store.seed(beaten.artifact)
    version = artifacts.read(path).version
    store.promote(version, why=why)
    return version
