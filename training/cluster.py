"""Errands on a Dask cluster: workers here, or those of any scheduler by its address.

A worker that dies takes nothing with it: the scheduler gives its run to another.
"""

import logging
import queue
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from distributed import Client, Future, KilledWorker, LocalCluster, get_worker

from training.environment import machine
from training.errand import Errand, Outcome, carry_out, check_code, code
from training.errors import TrainingError
from training.interrupts import interrupts_held, interrupts_told

PATIENCE = 10  # seconds for a scheduler to answer


@dataclass(frozen=True)
class Began:
    """A worker has taken up a run: for the first time, or after another worker was lost."""

    name: str
    worker: str


@dataclass(frozen=True)
class Ended:
    """What came of a run."""

    name: str
    outcome: Outcome


@dataclass(frozen=True)
class Task:
    """An errand, and whom it learns from: what is there, or another task by its name."""

    errand: Errand
    teachers: Sequence[Outcome | str] = ()


Event: TypeAlias = Began | Ended


@contextmanager
def local(workers: int, data: Path | None) -> Iterator[Client]:
    """A cluster of that many processes on this machine, one run each at a time.

    data: where these look for it; None for where everybody does.
    """
    with ExitStack() as stack:
        with interrupts_held():  # of a terminal: they are this process's to answer
            cluster = LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                memory_limit=0,  # of the worker itself, which only waits for a run
                dashboard_address=None,
                silence_logs=logging.CRITICAL,  # a lost worker is told in our words
                env={"DIGITS_DATA": str(data.absolute())} if data else {},
            )
            stack.enter_context(cluster)
            client = stack.enter_context(Client(cluster, set_as_default=False))
        yield client


@contextmanager
def remote(address: str) -> Iterator[Client]:
    """The cluster of the scheduler at this address; raises TrainingError."""
    logging.disable(logging.CRITICAL)  # what happens to a connection is told in our words
    try:
        with _connected(address) as client:
            yield client
    finally:
        logging.disable(logging.NOTSET)


def _connected(address: str) -> Client:
    try:
        return Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise TrainingError(
            f"--scheduler {address}: no scheduler answers there; start one with "
            "`dask scheduler`, and workers with `dask worker`"
        ) from error


def check_workers(client: Client) -> int:
    """How many workers there are; raises TrainingError for one that has other code than this."""
    found: Mapping[str, object] = client.run(_check, code(), on_error="return")
    for worker, answer in found.items():
        if isinstance(answer, TrainingError):
            raise TrainingError(f"{worker}: {answer}")
        if isinstance(answer, Exception):
            raise TrainingError(
                f"{worker}: the worker cannot run this sweep ({type(answer).__name__}: {answer}); "
                "start it with this project's code, and what requirements/sweep.txt says"
            )
    return len(found)


def events(client: Client, tasks: Mapping[str, Task]) -> Iterator[Event]:
    """Carry out all tasks; yields when one is begun, also again, and when it has ended.

    Where this is left before its end, runs that are under way are ended. Raises TrainingError
    when the scheduler goes away, and KeyboardInterrupt after Ctrl-C.
    """
    sweep = f"digits-{uuid.uuid4().hex}"
    seen: queue.SimpleQueue[Began | tuple[str, Future] | None] = queue.SimpleQueue()
    client.subscribe_topic(sweep, lambda event: seen.put(Began(**event[1])))
    futures: dict[str, Future] = {}
    try:
        with interrupts_told(lambda: seen.put(None)):
            for name, task in tasks.items():
                teachers = [
                    futures[teacher] if isinstance(teacher, str) else teacher
                    for teacher in task.teachers
                ]
                # Nobody else's result can be taken for this one, however like it is.
                futures[name] = client.submit(
                    _carried_out,
                    sweep,
                    name,
                    task.errand,
                    teachers,
                    key=f"{name}-{sweep}",
                    pure=False,
                )
                futures[name].add_done_callback(lambda future, name=name: seen.put((name, future)))
            missing = set(tasks)
            while missing:
                event = seen.get()
                if event is None:
                    raise KeyboardInterrupt
                if isinstance(event, Began):
                    yield event
                    continue
                name, future = event
                missing.discard(name)
                outcome = _outcome(future)
                future.release()  # who learns from it has it in its own hands
                yield Ended(name, outcome)
    finally:
        client.cancel(list(futures.values()))
        client.unsubscribe_topic(sweep)


def _outcome(future: Future) -> Outcome:
    if future.status not in {"finished", "error"}:
        raise TrainingError(
            "the scheduler is gone; start it, and the same command again: runs that are done "
            "are kept"
        )
    error = future.exception()
    if error is None:
        outcome: Outcome = future.result()
        return outcome
    if isinstance(error, KilledWorker):
        return Outcome(
            {}, "every worker that took it up was lost, perhaps for want of memory; run it again"
        )
    return Outcome({}, f"{type(error).__name__}: {error}")


# -- on a worker --------------------------------------------------------------


def _check(theirs: Mapping[str, str]) -> dict[str, Any]:
    check_code(theirs)
    return machine()


def _carried_out(sweep: str, name: str, errand: Errand, teachers: Sequence[Outcome]) -> Outcome:
    worker = get_worker()
    key = worker.get_current_task()
    worker.log_event(sweep, {"name": name, "worker": worker.address})
    for teacher in teachers:
        if teacher.failure:
            return Outcome({}, f"its teacher failed: {teacher.failure}")

    def wanted() -> bool:
        task = worker.state.tasks.get(key)
        return task is not None and task.state == "executing"

    outcome = carry_out(errand, [teacher.files["artifact.npz"] for teacher in teachers], wanted)
    if outcome.failure:
        return Outcome({}, f"{outcome.failure} (worker {worker.address})")
    return outcome
