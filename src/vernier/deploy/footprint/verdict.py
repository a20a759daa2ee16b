"""Whether a network fits a board."""

from dataclasses import dataclass
from typing import Any, final

from vernier.deploy.footprint.boards import Board
from vernier.deploy.footprint.estimates import (
    Estimate,
    estimate_code,
    estimate_runtime_ram,
    estimate_time,
    ram_error,
)
from vernier.deploy.footprint.measure import Footprint


@final
@dataclass(frozen=True)
class Verdict:
    """What a network needs of a board, with ST's runtime as the example of one.

    Attributes:
        board: the board.
        flash: bytes of weights and biases; scales are part of the estimate of the runtime.
        code: estimated bytes of the runtime in flash.
        ram: bytes of activations, every output in its own place.
        line_buffers: bytes of activations where convolutions write over their input.
        runtime: estimated bytes of the runtime in RAM.
        time: estimated ms for an image; None where nothing tells.
    """

    board: Board
    flash: int
    code: Estimate
    ram: int
    line_buffers: int
    runtime: Estimate
    time: Estimate | None

    @property
    def flash_over(self) -> int:
        """Bytes that are missing in the board's flash; 0 when it fits, or when the board has none inside."""
        return max(0, round(self.flash + self.code.value) - self.board.flash) if self.board.flash else 0

    @property
    def ram_over(self) -> int:
        """Bytes that are missing in the board's RAM; 0 when it fits."""
        return max(0, round(self.ram + self.runtime.value) - self.board.ram)

    @property
    def fits(self) -> bool:
        """Whether flash and RAM inside the controller are enough."""
        return not self.flash_over and not self.ram_over

    @property
    def is_close(self) -> bool:
        """Whether the network fits, but would not if it took as much more RAM as published figures differ from ours."""
        return self.fits and (self.ram + self.runtime.value) * (1 + ram_error()) > self.board.ram

    @property
    def fits_with_line_buffers(self) -> bool:
        """Whether they would be for a runtime whose convolutions write over their input."""
        return not self.flash_over and self.line_buffers + self.runtime.value <= self.board.ram

    def to_json(self) -> dict[str, Any]:
        """The verdict as JSON values."""
        return {
            "board": self.board.name,
            "fits": self.fits,
            "is_close": self.is_close,
            "fits_with_line_buffers": self.fits_with_line_buffers,
            "flash_bytes": round(self.flash + self.code.value),
            "flash_available_bytes": self.board.flash,
            "flash_over_bytes": self.flash_over,
            "ram_bytes": round(self.ram + self.runtime.value),
            "ram_available_bytes": self.board.ram,
            "ram_over_bytes": self.ram_over,
            "runtime_ram_bytes": round(self.runtime.value),
            "runtime_flash_bytes": round(self.code.value),
            "ms": None if self.time is None else round(self.time.value, 3),
            "ms_error": None if self.time is None else round(self.time.error, 4),
            "ms_worst_error": None if self.time is None else round(self.time.worst, 4),
        }


def judge(footprint: Footprint, board: Board) -> Verdict:
    """Compare what a network needs with what a board has inside its controller."""
    return Verdict(
        board=board,
        flash=footprint.flash_bytes,
        code=estimate_code(footprint),
        ram=footprint.separate.bytes,
        line_buffers=footprint.line_buffers.bytes,
        runtime=estimate_runtime_ram(footprint),
        time=estimate_time(footprint, board),
    )


def verdict_text(verdict: Verdict) -> str:
    """The verdict in lines: what is needed, what there is, how long it takes."""
    board = verdict.board
    lines = [f"{board.name} ({board.controller}, {board.core} at {board.mhz} MHz): {_word(verdict)}"]
    lines.append(f"  flash  {_kib(verdict.flash)} + runtime about {_kib(verdict.code.value)}, {_flash_there(verdict)}")
    lines.append(
        f"  RAM    {_kib(verdict.ram)} + runtime about {_kib(verdict.runtime.value)} of {_kib(board.ram)}"
        f"{_over(verdict.ram_over)}"
    )
    if verdict.ram_over and verdict.fits_with_line_buffers:
        lines.append(f"         with line buffers {_kib(verdict.line_buffers)} would be enough, and it would fit")
    if not verdict.ram_over and verdict.ram > board.bank:
        lines.append(f"         its largest bank has {_kib(board.bank)}: activations have to be divided among banks")
    lines.append(f"  time   {_time(verdict)}")
    return "\n".join(lines)


def _word(verdict: Verdict) -> str:
    if verdict.is_close:
        return f"fits, but it is close: RAM differs from published figures by {ram_error():.0%} on average"
    if verdict.fits:
        return "fits"
    beside = verdict.board.external
    return f"does not fit{'' if beside == 'none' else f' without the {_and(beside)} beside the controller'}"


def _flash_there(verdict: Verdict) -> str:
    if not verdict.board.flash:
        return f"in the {_and(verdict.board.external)} beside the controller, which has no flash inside"
    return f"of {_kib(verdict.board.flash)}{_over(verdict.flash_over)}"


def _and(kinds: str) -> str:
    return kinds.replace(", ", " and ")


def _over(over: int) -> str:
    return f": {_kib(over)} too much" if over else ""


def _time(verdict: Verdict) -> str:
    if verdict.time is None:
        return "no estimate: times are published for 8-bit integers on Cortex-M7 cores only"
    time = verdict.time
    return f"about {time.value:.3g} ms (±{time.error:.0%}, {time.worst:.0%} at worst)"


def _kib(size: float) -> str:
    return f"{size / 1024:,.2f} KiB"
