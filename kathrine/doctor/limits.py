"""What this process may use of the machine: cores and memory, as the machine has them and as its container allows."""

from __future__ import annotations

import os
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
MEMORY = Path("/proc/meminfo")


def cores(cgroups: Path = CGROUPS) -> float:
    """Cores that this process may keep busy: those it is bound to, or its quota where that is less."""
    bound = float(len(os.sched_getaffinity(0)))
    quota = read(cgroups / "cpu.max").split()
    if len(quota) == 2 and quota[0].isdigit():
        return min(bound, int(quota[0]) / int(quota[1]))
    old, period = read(cgroups / "cpu" / "cpu.cfs_quota_us"), read(cgroups / "cpu" / "cpu.cfs_period_us")
    if old.isdigit() and period.isdigit():
        return min(bound, int(old) / int(period))
    return bound


def memory_free(cgroups: Path = CGROUPS, meminfo: Path = MEMORY) -> int:
    """Bytes that this process may still take: what the machine has free, or what its container leaves of its limit."""
    free = next(int(line.split()[1]) * 1024 for line in read(meminfo).splitlines() if line.startswith("MemAvailable:"))
    for limit, used in (
        (cgroups / "memory.max", cgroups / "memory.current"),
        (cgroups / "memory" / "memory.limit_in_bytes", cgroups / "memory" / "memory.usage_in_bytes"),
    ):
        most, now = read(limit), read(used)
        if most.isdigit() and now.isdigit():
            # files that were read count as used, and are given up when memory is asked for
            cached = next((int(line.split()[1]) for line in read(limit.with_name("memory.stat")).splitlines()
                           if line.startswith("inactive_file ")), 0)  # fmt: skip
            return min(free, max(0, int(most) - int(now) + cached))
    return free


def read(path: Path) -> str:
    """A small file's text, or an empty string where there is none."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
