import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from service import cores
from tests.helpers import table

V1 = "4:memory:/box\n3:cpu,cpuacct:/box\n1:name=systemd:/box\n"


@table(
    "membership, files, found",
    {
        "version 2, two cores": ("0::/\n", {"cpu.max": "200000 100000\n"}, [2]),
        "version 2, half a core": ("0::/\n", {"cpu.max": "50000 100000\n"}, [0.5]),
        "version 2, another period": ("0::/\n", {"cpu.max": "15000 10000\n"}, [1.5]),
        "version 2, no limit": ("0::/\n", {"cpu.max": "max 100000\n"}, []),
        "version 2, the root has no file": ("0::/\n", {}, []),
        "version 2, a limit of its own and one above": (
            "0::/slice/box\n",
            {
                "cpu.max": "800000 100000",
                "slice/cpu.max": "max 100000",
                "slice/box/cpu.max": "300000 100000",
            },
            [3, 8],
        ),
        "version 2, the path is the host's": (
            "0::/machine/of/the/host\n",
            {"cpu.max": "100000 100000"},
            [1],
        ),
        "version 1, two cores": (
            V1,
            {"cpu/cpu.cfs_quota_us": "200000\n", "cpu/cpu.cfs_period_us": "100000\n"},
            [2],
        ),
        "version 1, of its own": (
            V1,
            {"cpu/box/cpu.cfs_quota_us": "50000\n", "cpu/box/cpu.cfs_period_us": "100000\n"},
            [0.5],
        ),
        "version 1, no limit": (
            V1,
            {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"},
            [],
        ),
        "version 1, of a controller that is none of ours": (
            "4:memory:/box\n",
            {"cpu/cpu.cfs_quota_us": "200000\n", "cpu/cpu.cfs_period_us": "100000\n"},
            [],
        ),
        "a file that says nothing": ("0::/\n", {"cpu.max": ""}, []),
    },
)
def test_a_quota_is_found_in_the_control_groups(
    membership: str, files: Mapping[str, str], found: list[float], tmp_path: Path
) -> None:
    (tmp_path / "cgroup").write_text(membership)
    for name, text in files.items():
        path = tmp_path / "hierarchy" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert list(cores.quotas(tmp_path / "hierarchy", tmp_path / "cgroup")) == found


def test_a_system_without_control_groups_has_no_quota(tmp_path: Path) -> None:
    assert list(cores.quotas(tmp_path, tmp_path / "none")) == []


@table(
    "allowed, quotas, workers",
    {
        "no quota": (3, [], 3),
        "less than is allowed": (8, [2.0], 2),
        "more than is allowed": (2, [8.0], 2),
        "the smallest counts": (8, [6.0, 3.0], 3),
        "a part of a core is used, too": (8, [1.5], 2),
        "never none": (8, [0.1], 1),
    },
)
def test_as_many_cores_as_may_be_kept_busy(
    allowed: int, quotas: list[float], workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(allowed)))
    monkeypatch.setattr(cores, "quotas", lambda *_: iter(quotas))
    assert cores.available() == workers
