"""From a candidate to its verdict, its record and its reports, and perhaps to the alias."""

import dataclasses
import json
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from model import artifact as artifacts
from model.artifact import Artifact, write_whole
from model.errors import VersionNotFound
from model.store import Store, locate
from training import gate, page, tables
from training.dataset import Mnist
from training.errors import GateError, TrainingError
from training.gate import Bounds, Judgement, Verdict
from training.rows import Digits
from training.standing import SIZES, Sizes, figures

# What a scheduler is told; 1 is what could not be done, 2 a wrong command line.
EXITS = {Verdict.PROMOTE: 0, Verdict.KEEP: 3, Verdict.REJECT: 4}


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
    champion = record["champion"]
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
        f"<header><h1>{escape(candidate.name)} version {candidate.version} at the gate</h1>"
        f"<p>Against the champion, version {champion['version']}.<br>"
        f"<code>{escape(champion['digest'])}</code></p></header>",
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


def champion_of(store: Store) -> tuple[Artifact, int | None]:
    """Whom a candidate is made from and held against, and where the store's alias points.

    Of a store that has none it is the champion of the release. Raises ArtifactError.
    """
    try:
        version = store.resolve("champion")
    except VersionNotFound:
        return artifacts.read(locate()), None
    return artifacts.read(store.path(version)), version


def promote(store: Store, path: Path, champion: Artifact, was: int | None) -> int:
    """Make the candidate at ``path`` the champion of its store; returns its version.

    In a store that had no champion, the one it was held against is put in first, so that there
    is where a rollback goes. Raises GateError where the alias has moved since (``was``), as that
    is another champion than the one the candidate was held against, and what the store raises.
    """
    if store.aliases().get("champion") != was:
        raise GateError(
            f"{store.root}: another champion was promoted meanwhile; "
            f"judge {path} against that one first"
        )
    if was is None:
        store.promote(artifacts.read(store.add(champion)).version)
    version = artifacts.read(path).version
    store.promote(version)
    return version
