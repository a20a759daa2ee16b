"""Energy of the processors, where the machine tells (Linux' powercap interface, RAPL)."""

from dataclasses import dataclass
from pathlib import Path
from typing import final

POWERCAP = Path("/sys/class/powercap")


@final
@dataclass(frozen=True)
class EnergyCounter:
    """The counters of all processor packages; each counts microjoules and starts again at its range."""

    files: tuple[Path, ...]

    @staticmethod
    def find(root: Path = POWERCAP) -> "EnergyCounter | None":
        """The counters that can be read; None where there are none, as in most virtual machines."""
        packages = [zone for zone in sorted(root.glob("*:*")) if _text(zone / "name").startswith("package")]
        files = tuple(zone / "energy_uj" for zone in packages if _text(zone / "energy_uj"))
        return EnergyCounter(files) if files else None

    def read(self) -> tuple[int, ...]:
        """What each counter shows, in microjoules."""
        return tuple(int(file.read_text()) for file in self.files)

    def joules_since(self, before: tuple[int, ...]) -> float:
        """Energy of all packages since `read` gave `before`."""
        return sum(map(self._difference, self.files, before, self.read())) / 1e6

    @staticmethod
    def _difference(file: Path, before: int, now: int) -> int:
        span = int(_text(file.with_name("max_energy_range_uj")) or 0)
        return now - before if now >= before else now - before + span


def _text(file: Path) -> str:
    """The content of a file, empty where it can't be read: counters are often for root alone."""
    try:
        return file.read_text().strip()
    except OSError:
        return ""
