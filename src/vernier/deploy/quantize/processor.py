"""What the processor can do with 8-bit integers."""

import platform
from pathlib import Path

_X86 = ("x86_64", "amd64", "i686", "i386")
_VNNI = ("avx512_vnni", "avx_vnni")
_CPU_INFO = Path("/proc/cpuinfo")


def choose_reduce_range(given: bool | None) -> tuple[bool, str]:
    """Whether weights get 7 bits, and why.

    Products of 8-bit integers are added in pairs to 16 bits on x86 processors without VNNI, where they can overflow;
    those of 7 bits can't.

    Args:
        given: `quantize.reduce_range`.
    """
    if given is not None:
        return given, "as asked for"
    machine = platform.machine()
    text = _CPU_INFO.read_text("utf-8", errors="replace") if _CPU_INFO.is_file() else ""
    return overflows(machine, text)


def overflows(machine: str, cpu_info: str) -> tuple[bool, str]:
    """Whether sums of 8-bit products can overflow, and how that is known.

    Args:
        machine: As `platform.machine` gives it.
        cpu_info: Text of /proc/cpuinfo; empty where there is none.
    """
    if machine.casefold() not in _X86:
        return False, f"{machine} processors add 8-bit products without overflow"
    flags = {word for line in cpu_info.splitlines() if line.startswith("flags") for word in line.split()}
    if not flags:
        return False, "what the processor can do is unknown"
    found = [flag for flag in _VNNI if flag in flags]
    if found:
        return False, f"the processor has {found[0]}"
    return True, "the processor has no VNNI instructions"
