"""How many cores this process may keep busy: what it is allowed to run on, and its quota.

A container is given a share of a machine, and sees all of its cores.
"""

import math
import os
from collections.abc import Iterator
from pathlib import Path

HIERARCHY = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


def available() -> int:
    """At least one, rounded up: what is left of a quota is used, too."""
    return max(1, math.ceil(min([_allowed(), *quotas(HIERARCHY, MEMBERSHIP)])))


def _allowed() -> int:
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def quotas(hierarchy: Path, membership: Path) -> Iterator[float]:
    """The quotas, in cores, of the control groups that hold a process; none where there is none.

    hierarchy: where control groups are mounted, of version 1 or 2. membership: the process's
    file, lines of ``number:controllers:path`` (cgroups(7)). A container's path may be the
    host's and not be there, and a limit may stand at any level, so all above count.
    """
    try:
        lines = membership.read_text("utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        top = hierarchy / "cpu" if controllers else hierarchy
        group = top / path.lstrip("/")
        while True:
            quota = _quota(group)
            if quota is not None:
                yield quota
            if group == top:
                break
            group = group.parent


def _quota(group: Path) -> float | None:
    """Microseconds of a core in each period, over the period; None for no limit."""
    for files in (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us")):
        try:
            quota, period = " ".join((group / file).read_text("ascii") for file in files).split()
        except (OSError, ValueError):
            continue
        return None if quota in {"max", "-1"} else int(quota) / int(period)
    return None
