"""New labelled images, as people send them: who sent them, and which may be learned from.

What is sent is not believed as it stands. An image that a model is judged on is never learned,
one person's say is bounded, and a part of the people is held out to judge by.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training import readers
from training.errors import DataError
from training.rows import Digits
from training.tables import require

# What the feedback store calls its arrays; where nobody knows who sent what, there are no clients.
SENT_NAMES = (("images", "labels", "clients"), *readers.NPZ_NAMES)
UNKNOWN = -1  # the label of an image that nobody has labelled


@dataclass(frozen=True)
class Feedback:
    """Labelled images and, where that is known, who sent each: clients (N,).

    unlabelled: how many images there were besides, without a label. digests: as
    ``dataset.Mnist`` has them.
    """

    digits: Digits
    clients: NDArray[np.str_] | None
    unlabelled: int
    digests: dict[str, str]


@dataclass(frozen=True)
class Limits:
    """What one client may contribute, and how much is held out.

    client_images: at most so many. client_share: at most this share of all that was sent and
    labelled, 0-1; where clients are not known, neither holds. held_out: share of the clients,
    with all of their images, or of the images where clients are not known. seed: of what is
    drawn.
    """

    client_images: int = 200
    client_share: float = 0.2
    held_out: float = 0.2
    seed: int = 1

    def __post_init__(self) -> None:
        require(self.client_images >= 1, "limits.client_images", "1 or more")
        require(0 < self.client_share <= 1, "limits.client_share", "above 0, at most 1")
        require(0 < self.held_out < 1, "limits.held_out", "between 0 and 1")
        require(self.seed >= 0, "limits.seed", "0 or more")


@dataclass(frozen=True)
class Screened:
    """What is learned from, what is judged by, and what became of every image.

    counts: images by what became of them, all of them together what was sent. held_out_by:
    "clients", or "images" where clients are not known. clients: how many have sent what is
    left, None where that is not known.
    """

    train: Digits
    held_out: Digits
    counts: dict[str, int]
    held_out_by: str
    clients: int | None

    def to_json(self) -> dict[str, Any]:
        """The counts and how a part was held out, as JSON values."""
        known = "not known" if self.clients is None else self.clients
        return {"images": self.counts, "held_out_by": self.held_out_by, "clients": known}

    def to_text(self) -> str:
        """The same in a sentence."""
        total = sum(self.counts.values())
        shown = ", ".join(f"{count:,} {fate}" for fate, count in self.counts.items() if count)
        by = _by(self.clients)
        return f"{total:,} new images{by}: {shown} ({self.held_out_by} are held out)"


def read(path: Path) -> Feedback:
    """An .npz, a folder of images by class, a .csv or .csv.gz; raises DataError.

    The .npz holds ``images`` (N, 28, 28) uint8, ``labels`` (N,) of digits or -1 for one that is
    not known, and, where that is known, ``clients`` (N,) strings.
    """
    digests = dict([readers.digest(path)])
    if path.suffix.lower() != ".npz":
        return Feedback(readers.read(path), None, 0, digests)
    arrays = list(readers.npz_arrays(path, SENT_NAMES).values())
    (images, labels), clients = arrays[:2], arrays[2] if len(arrays) > 2 else None  # noqa: PLR2004
    known = _labelled(path, images, labels)
    if clients is not None and (clients.dtype.kind != "U" or clients.shape != labels.shape):
        raise DataError(
            f"{path}: clients: are {clients.dtype} {clients.shape}; give every image a string"
        )
    digits = readers.checked_arrays(
        images[known], labels[known], f"{path}: images", f"{path}: labels"
    )
    senders = None if clients is None else np.asarray(clients[known], np.str_)
    return Feedback(digits, senders, len(known) - int(known.sum()), digests)


def _labelled(
    path: Path, images: NDArray[np.generic], labels: NDArray[np.generic]
) -> NDArray[np.bool_]:
    """Which rows have a label (N,)."""
    if labels.ndim != 1 or labels.shape != images.shape[:1] or labels.dtype.kind not in "iu":
        raise DataError(
            f"{path}: labels: are {labels.dtype} {labels.shape} for {len(images)} images; "
            "give every image one integer, a digit or -1"
        )
    known = np.asarray(labels != UNKNOWN)
    if not known.any():
        raise DataError(f"{path}: labels: none is known; label some of the images")
    return known


def screened(sent: Feedback, judged_on: Digits, limits: Limits) -> Screened:
    """Leave out what may not be learned, and hold out a part; raises DataError for nothing left.

    Left out are images that are byte for byte one of ``judged_on``; all whose label another of
    the same bytes contradicts; repeated ones but the first; and what one client sends over the
    limits, drawn by their seed. Clients that are held out share no image with the others. What
    is drawn depends on the order in which clients first come, and not on their names, which are
    others in every database.
    """
    digests = _digests(sent.digits)
    fates = np.full(len(sent.digits), "used", "<U30")
    fates[_repeated(digests)] = "repeated"
    fates[_disputed(digests, sent.digits.labels)] = "of disputed label"
    fates[np.isin(digests, _digests(judged_on))] = "of an evaluation set"
    rng = np.random.default_rng(limits.seed)
    if sent.clients is not None:
        _limit(fates, sent.clients, limits, rng)
    used = np.flatnonzero(fates == "used")
    groups = np.arange(len(fates)) if sent.clients is None else sent.clients
    names = _by_appearance(groups[used])
    chosen = rng.permutation(names)[: max(1, round(len(names) * limits.held_out))]
    apart = np.isin(groups[used], chosen)
    clients = None if sent.clients is None else len(names)
    if apart.all():
        raise DataError(
            f"of {len(fates)} new images {len(used)} may be used{_by(clients)}, which leaves none "
            "to train on beside those that are held out; wait until more people have sent more"
        )
    fates[used] = np.where(apart, "held out", "trained on")
    found, counts = np.unique(fates, return_counts=True)
    return Screened(
        train=sent.digits.take(used[~apart]),
        held_out=sent.digits.take(used[apart]),
        counts={
            "unlabelled": sent.unlabelled,
            **dict(zip(found.tolist(), counts.tolist(), strict=True)),
        },
        held_out_by="images" if sent.clients is None else "clients",
        clients=clients,
    )


def unseen(sent: Feedback, judged_on: Digits) -> Digits:
    """What was sent but repetitions and images of ``judged_on``; raises DataError for nothing."""
    digests = _digests(sent.digits)
    kept = ~(_repeated(digests) | np.isin(digests, _digests(judged_on)))
    if not kept.any():
        raise DataError("every new image is one of an evaluation set; send others")
    return sent.digits.take(np.flatnonzero(kept))


def _limit(
    fates: NDArray[np.str_],
    clients: NDArray[np.str_],
    limits: Limits,
    rng: np.random.Generator,
) -> None:
    most = min(limits.client_images, max(1, int(limits.client_share * len(fates))))
    for client in _by_appearance(clients):
        rows = np.flatnonzero((clients == client) & (fates == "used"))
        fates[rng.permutation(rows)[most:]] = "over a client's limit"


def _by(clients: int | None) -> str:
    """Of how many it is, in words; nothing where that is not known."""
    if clients is None:
        return ""
    return f", by {clients} {'client' if clients == 1 else 'clients'}"


def _by_appearance(names: NDArray[Any]) -> NDArray[Any]:
    """Each name once, in the order in which they first come."""
    return names[np.sort(np.unique(names, return_index=True)[1])]


def _repeated(digests: NDArray[np.bytes_]) -> NDArray[np.bool_]:
    """Whether the same bytes stand in an earlier row (N,)."""
    repeated = np.ones(len(digests), bool)
    repeated[np.unique(digests, return_index=True)[1]] = False
    return repeated


def _disputed(digests: NDArray[np.bytes_], labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Whether the same bytes also stand under another label (N,)."""
    _, image = np.unique(digests, return_inverse=True)
    least, most = np.full(len(labels), 255), np.zeros(len(labels), int)
    np.minimum.at(least, image, labels)
    np.maximum.at(most, image, labels)
    return np.asarray((least != most)[image])


def _digests(digits: Digits) -> NDArray[np.bytes_]:
    """SHA-256 of the bytes of each image, in hexadecimal (N,)."""
    return np.array([hashlib.sha256(image.tobytes()).hexdigest() for image in digits.images], "S64")
