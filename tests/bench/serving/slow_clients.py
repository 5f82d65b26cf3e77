"""Two hundred clients that send one byte a second, and how everybody else fares meanwhile."""

import asyncio
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from tests.bench.report import Figure, figure
from tests.bench.serving.load import Load, ask
from tests.bench.serving.processes import Server, family, launched
from tests.bench.serving.programs import DIGITS
from tests.bench.serving.requests import JSON_IMAGE
from tests.bench.serving.rounds import WARM_UP_SECONDS
from tests.bench.serving.starting import Bench, wait_until_right

CLIENTS = 200
CONNECTIONS = 8  # of everybody else
GRACE_SECONDS = 2  # the service looks at its deadlines once a second, and lets a refusal be read
REST_SECONDS = 1  # for the server to notice who has gone
SETTLE_SECONDS = 5

HEAD = b"POST /predict HTTP/1.1\r\nHost: digits\r\nContent-Type: application/json\r\n"
AT_ONCE = (HEAD, HEAD + b"Content-Length: 10000\r\n\r\n")  # and then slowly: head, or body
SLOWLY = (b"X-Slow: " + b"a" * 10_000, b" " * 10_000)


@dataclass(frozen=True)
class Met:
    """What came of it. ages: how long each connection of a slow client has lived, in seconds."""

    load: Load
    ages: list[float]


def figures(bench: Bench, seconds: int, read_timeout: int) -> Iterable[Figure]:
    """Of one run of so many seconds."""
    settings = {**DIGITS.variables, "DIGITS_READ_TIMEOUT": str(read_timeout)}
    program, request = replace(DIGITS, variables=settings), JSON_IMAGE
    weights, cores = bench.weights[program.model], bench.load_cores(program)
    with ExitStack() as stack:
        server = stack.enter_context(
            launched(program, weights, bench.server_cores(program), bench.folder)
        )
        wait_until_right(server, request)
        others = partial(ask, server.port, request, connections=CONNECTIONS, cores=cores)
        alone = others(seconds=WARM_UP_SECONDS)
        time.sleep(REST_SECONDS)
        before = descriptors(server)
        stack.enter_context(pinned_to(cores))
        met = asyncio.run(meet(server.port, partial(others, seconds=seconds)))
        left = settled(server, before) - before
    about = f"{CLIENTS} clients, a byte a second each, half of them in the body, {seconds} s"
    late = [age for age in met.ages if age > read_timeout + GRACE_SECONDS]
    yield figure(
        "beside slow clients, p99",
        [met.load.p99],
        "ms",
        reference=f"{about}; {met.load.rate:.0f} req/s; alone {alone.p99:.2f} ms",
        must=20,
    )
    yield figure(
        "beside slow clients, answers that were no 200",
        [met.load.errors],
        "",
        reference=about,
        must=0,
    )
    yield figure(
        "slow connections that outlived their deadline",
        [len(late)],
        "",
        reference=f"{read_timeout} s; of {len(met.ages)} the oldest {max(met.ages):.1f} s",
        must=0,
    )
    yield figure(
        "descriptors left open after them", [left], "", reference=f"{before} before", must=0
    )


async def meet(port: int, others: Callable[[], Load]) -> Met:
    """Keep ``CLIENTS`` slow connections open for as long as the others take."""
    ages: list[float] = []
    async with asyncio.TaskGroup() as group:
        clients = [group.create_task(come_again(port, number, ages)) for number in range(CLIENTS)]
        result = await asyncio.to_thread(others)
        for client in clients:
            client.cancel()
    return Met(result, ages)


async def come_again(port: int, number: int, ages: list[float]) -> None:
    """One slow client: it connects, is closed, and connects again."""
    at_once, slowly = AT_ONCE[number % 2], SLOWLY[number % 2]
    await asyncio.sleep(number / CLIENTS)
    while True:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        began = time.monotonic()
        try:
            writer.write(at_once)
            with suppress(ConnectionError):
                await trickle(reader, writer, slowly)
        finally:
            ages.append(time.monotonic() - began)
            writer.close()


async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes) -> None:
    """Send a byte a second until the server has closed the connection."""
    for number in range(len(data)):
        writer.write(data[number : number + 1])
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                while await reader.read(65_536):
                    pass
                return


def descriptors(server: Server) -> int:
    """How many files and sockets the server has open."""
    folders = [Path(f"/proc/{pid}/fd") for pid in family(server.process.pid)]
    return sum(1 for folder in folders for _ in folder.iterdir())


def settled(server: Server, expected: int) -> int:
    """How many it has open when it has noticed that everybody is gone."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while (count := descriptors(server)) != expected and time.monotonic() < deadline:
        time.sleep(0.1)
    return count


@contextmanager
def pinned_to(cores: Iterable[int]) -> Iterator[None]:
    """Keep this thread off the server's core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
