"""A soak: traffic, what is done to the service meanwhile, and a look at it once a minute."""

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from model.store import RELEASES, Store
from tests.faults.load import Load, Outcome
from tests.server import Server, running
from tests.service.cases import MAX_BATCH, MAX_BODY_BYTES, MAX_IMAGE_PIXELS
from tests.soak.capacity import capacity
from tests.soak.samples import Sample, sample
from tests.soak.traffic import Traffic, traffic

SHARE = 0.7  # of the capacity
CAPACITY_SECONDS = 10.0
LONGEST_STEP, FEWEST_STEPS = 60.0, 24  # seconds between samples; of a run
FEEDBACK_ROWS = 5_000  # that are kept: it is pruned all the time

# Which steps have which event: (every, first). The youngest worker is killed, so that the
# others live long enough to be judged; all are replaced once, early.
RELOAD, KILL = (3, 2), (8, 5)
HANGUP_AT = 0.2  # of the run


@dataclass(frozen=True)
class Plan:
    """How long a soak takes. step: seconds between samples."""

    seconds: float
    step: float

    @classmethod
    def of(cls, hours: float) -> "Plan":
        seconds = hours * 3_600
        return cls(seconds, min(LONGEST_STEP, seconds / FEWEST_STEPS))

    @property
    def steps(self) -> int:
        return round(self.seconds / self.step)

    def events(self, step: int) -> list[str]:
        """What is done to the service at the beginning of a step."""
        found = []
        if step == round(self.steps * HANGUP_AT):
            found.append("hangup")
        elif step % KILL[0] == KILL[1]:
            found.append("kill")
        if step % RELOAD[0] == RELOAD[1]:
            found.append("reload")
        return found


@dataclass
class Trouble:
    """What is done to a service, and when workers were killed or told to end."""

    server: Server
    store: Store
    kills: list[float] = field(default_factory=list)
    hangups: list[float] = field(default_factory=list)

    def cause(self, events: Sequence[str]) -> None:
        causes: Mapping[str, Callable[[], object]] = {
            "hangup": self._hangup,
            "kill": self._kill,
            "reload": self._reload,
        }
        for event in events:
            causes[event]()

    def _hangup(self) -> None:
        self.hangups.append(time.monotonic())
        self.server.process.send_signal(signal.SIGHUP)

    def _kill(self) -> None:
        self.kills.append(time.monotonic())
        os.kill(max(self.server.workers()), signal.SIGKILL)

    def _reload(self) -> None:
        served = self.store.aliases()["champion"]
        self.store.promote(next(number for number in self.store.versions() if number != served))


def soak(plan: Plan, folder: Path) -> tuple[float, list[Sample]]:
    """Requests a second that were sent, and the samples. folder: empty, for the service."""
    store, metrics, sent = Store(folder / "store"), folder / "metrics", traffic()
    shutil.copytree(RELEASES, store.root)
    with running(
        folder / "log",
        workers=os.cpu_count() or 1,
        store=store.root,
        metrics_dir=metrics,
        feedback=folder / "kept.db",
        feedback_max_rows=FEEDBACK_ROWS,
        feedback_percent=10,
        max_body_bytes=MAX_BODY_BYTES,
        max_batch=MAX_BATCH,
        max_image_pixels=MAX_IMAGE_PIXELS,
    ) as server:
        good = [one for one in sent.shots if sent.statuses[one.name] == 200]
        rate = SHARE * capacity(server.port, good, min(CAPACITY_SECONDS, plan.seconds / 10))
        with Load(server.port, sent.shots, rate) as load:
            samples = list(_watch(plan, load, Trouble(server, store), metrics, sent))
    return rate, samples


def _watch(
    plan: Plan, load: Load, trouble: Trouble, metrics: Path, sent: Traffic
) -> Iterator[Sample]:
    began = time.monotonic()
    with tqdm(total=round(plan.seconds), unit="s", desc="soak") as bar:
        for step in range(plan.steps):
            events = plan.events(step)
            trouble.cause(events)
            while (now := time.monotonic() - began) < (step + 1) * plan.step:
                time.sleep(min(0.5, (step + 1) * plan.step - now))
                bar.update(min(round(plan.seconds), int(now)) - bar.n)
            outcomes = load.take()
            odd = _unexplained(outcomes, sent, trouble)
            found = sample(
                trouble.server,
                metrics,
                began=began,
                outcomes=outcomes,
                unexplained=odd,
                events=events,
            )
            memory = sum(one.memory for one in (found.master, *found.workers))
            bar.set_postfix_str(f"p99 {found.p99:.0f} ms, {memory:.0f} MB, {len(odd)} unexplained")
            yield found
        bar.update(round(plan.seconds) - bar.n)


def _unexplained(outcomes: Sequence[Outcome], sent: Traffic, trouble: Trouble) -> list[Outcome]:
    times = trouble.kills, trouble.hangups
    return [one for one in outcomes if not sent.is_explained(one, *times)]
