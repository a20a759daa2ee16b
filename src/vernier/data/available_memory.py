"""How much memory this process may still take."""

import os
from collections.abc import Iterator
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")


def available_memory() -> int:
    """Bytes that can be taken without swapping: of the machine, and of the control groups the process is in.

    Sources: Linux `Documentation/filesystems/proc.rst` (MemAvailable), `admin-guide/cgroup-v2.rst`.
    """
    return min([_of_the_machine(), *_of_the_groups(_CGROUPS, _own_group())])


def _of_the_machine() -> int:
    counts = _numbers(Path("/proc/meminfo"))
    if "MemAvailable:" in counts:
        return counts["MemAvailable:"] * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _of_the_groups(root: Path, group: str) -> Iterator[int]:
    own = root / group
    for directory in (own, *own.parents):
        if not directory.is_relative_to(root):
            return
        limit = _text(directory / "memory.max").strip()
        if limit.isdecimal():
            used = int(_text(directory / "memory.current") or 0)
            cache = _numbers(directory / "memory.stat").get("inactive_file", 0)
            yield max(0, int(limit) - used + cache)


def _own_group() -> str:
    for line in _text(Path("/proc/self/cgroup")).splitlines():
        if line.startswith("0::/"):
            return line.removeprefix("0::/")
    return ""


def _numbers(path: Path) -> dict[str, int]:
    rows = (line.split() for line in _text(path).splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) > 1 and row[1].isdecimal()}


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
