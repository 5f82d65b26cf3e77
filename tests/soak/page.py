"""The samples of a soak as one page with charts."""

from collections import Counter
from collections.abc import Callable, Sequence
from html import escape

from tests.soak.samples import Process, Sample
from tests.soak.verdict import Finding
from training import page as pages
from training.axes import Axis
from training.pictures import Series, line_chart

MOST_WORKERS = 5  # with a line of their own: those that lived longest


def page(rate: float, samples: Sequence[Sample], findings: Sequence[Finding]) -> str:
    """The whole document."""
    holds = all(one.holds for one in findings)
    statuses: Counter[str] = Counter()
    for one in samples:
        statuses.update(one.statuses)
    minutes = samples[-1].at / 60
    return pages.page(
        "Soak",
        [
            "<h1>Soak</h1>",
            pages.figures(
                [
                    ("verdict", "holds" if holds else "fails", "of all that is listed below"),
                    ("time", f"{minutes:.1f} min", "under load"),
                    ("requests", f"{statuses.total():,}", f"{rate:.0f} a second"),
                    ("p99", f"{samples[-1].p99:.1f} ms", "of the last sample"),
                ]
            ),
            pages.section("Over time", "", pages.columns(_charts(samples))),
            pages.section("Findings", "", pages.table(_rows(findings), ["", "", ""])),
            pages.section("Answers", "", pages.table(_counts(statuses), ["status", "answers"])),
            pages.section("What was done to it", escape(_events(samples))),
        ],
    )


def _charts(samples: Sequence[Sample]) -> list[str]:
    time = Axis("minutes")
    latency = [
        Series("p50", [(one.at / 60, one.p50) for one in samples]),
        Series("p99", [(one.at / 60, one.p99) for one in samples]),
    ]
    files = [Series("bytes", [(one.at / 60, one.file_bytes / 1e6) for one in samples])]
    return [
        line_chart(_lives(samples, lambda one: one.memory), title="Memory", x=time, y=Axis("MB")),
        line_chart(latency, title="Latency", x=time, y=Axis("ms", log=True)),
        line_chart(
            _lives(samples, lambda one: one.descriptors),
            title="Descriptors",
            x=time,
            y=Axis("open", whole=True),
        ),
        line_chart(
            _lives(samples, lambda one: one.threads),
            title="Threads",
            x=time,
            y=Axis("threads", whole=True),
        ),
        line_chart(files, title="Files of metrics", x=time, y=Axis("MB")),
    ]


def _lives(samples: Sequence[Sample], value: Callable[[Process], float]) -> list[Series]:
    """The master, and the workers that lived longest."""
    lives: dict[int, list[tuple[float, float]]] = {}
    for one in samples:
        for process in (one.master, *one.workers):
            lives.setdefault(process.pid, []).append((one.at / 60, value(process)))
    master = lives.pop(samples[0].master.pid)
    longest = sorted(lives, key=lambda pid: -len(lives[pid]))[:MOST_WORKERS]
    return [Series("master", master), *(Series(f"worker {pid}", lives[pid]) for pid in longest)]


def _rows(findings: Sequence[Finding]) -> list[tuple[str, str, str]]:
    return [(one.name, "holds" if one.holds else "fails", one.words) for one in findings]


def _counts(statuses: Counter[str]) -> list[tuple[str, str]]:
    return [(status, f"{count:,}") for status, count in sorted(statuses.items())]


def _events(samples: Sequence[Sample]) -> str:
    done = Counter(event for one in samples for event in one.events)
    return ", ".join(f"{event}: {count} times" for event, count in done.items()) or "nothing"
