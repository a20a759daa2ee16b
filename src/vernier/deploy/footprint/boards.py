"""Boards of STMicroelectronics by name: memory, core and clock, from the public data sheets of their controllers."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import final

from vernier.errors import RunError

KIB = 1024

_HEAD = ("board", "controller", "core", "MHz", "flash KiB", "RAM KiB", "largest bank", "beside the controller")


@final
@dataclass(frozen=True)
class Board:
    """What a network finds on a board.

    Attributes:
        name: as ST writes it.
        controller: its microcontroller.
        core: the core that computes.
        mhz: the clock of that core: the highest one, or the one that ST measures at on this board.
        flash: bytes of flash inside the controller; 0 for none.
        ram: bytes of RAM inside the controller, all banks together.
        bank: bytes of the largest stretch of RAM without a gap.
        external: kinds of memory beside the controller, which do not count.
        accelerator: a unit for networks, for which times by core say nothing.
    """

    name: str
    controller: str
    core: str
    mhz: int
    flash: int
    ram: int
    bank: int
    external: str
    accelerator: str | None = None


def find_board(name: str) -> Board:
    """The board of a name; case and dashes do not matter.

    Raises:
        RunError: nobody knows it; with the nearest names.
    """
    squashed = {_squash(board.name): board for board in BOARDS.values()}
    if _squash(name) in squashed:
        return squashed[_squash(name)]
    close = get_close_matches(_squash(name), squashed, n=2, cutoff=0.5)
    hint = f"; did you mean {' or '.join(squashed[found].name for found in close)}?" if close else ""
    raise RunError(f"--board {name}: there are no figures for this board{hint} `vernier footprint --boards` lists them")


def boards_table() -> str:
    """All boards, a line each."""
    rows = [_HEAD, *map(_cells, BOARDS.values())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def _cells(board: Board) -> tuple[str, ...]:
    flash, ram, bank = (f"{size // KIB:,}" for size in (board.flash, board.ram, board.bank))
    return board.name, board.controller, board.core, str(board.mhz), flash, ram, bank, board.external


def _squash(name: str) -> str:
    return name.casefold().replace("-", "").replace("_", "").replace(" ", "")


def _board(
    name: str, controller: str, core: str, mhz: int, flash: int, ram: int, bank: int, external: str, npu: str = ""
) -> Board:
    return Board(name, controller, core, mhz, flash * KIB, ram * KIB, bank * KIB, external, npu or None)


_M4, _M7, _M33, _M55 = (f"Cortex-{kind}" for kind in ("M4", "M7", "M33", "M55"))

_LIST = (
    _board("STM32N6570-DK", "STM32N657X0", _M55, 800, 0, 4224, 4224, "flash, PSRAM", "Neural-ART"),
    _board("STM32H747I-DISCO", "STM32H747XI", _M7, 400, 2048, 1024, 512, "flash, SDRAM"),
    _board("STM32H7B3I-DK", "STM32H7B3LI", _M7, 280, 2048, 1376, 1024, "flash, SDRAM"),
    _board("STM32F469I-DISCO", "STM32F469NI", _M4, 180, 2048, 384, 320, "flash, SDRAM"),
    _board("B-U585I-IOT02A", "STM32U585AI", _M33, 160, 2048, 786, 768, "flash, PSRAM"),
    _board("STM32L4R9I-DISCO", "STM32L4R9AI", _M4, 120, 2048, 640, 640, "flash, PSRAM"),
    _board("NUCLEO-H743ZI2", "STM32H743ZI", _M7, 480, 2048, 1024, 512, "none"),
    _board("STM32H735G-DK", "STM32H735IG", _M7, 550, 1024, 564, 320, "flash, HyperRAM"),
    _board("STM32F769I-DISCO", "STM32F769NI", _M7, 216, 2048, 532, 512, "flash, SDRAM"),
    _board("NUCLEO-G474RE", "STM32G474RE", _M4, 170, 512, 128, 128, "none"),
    _board("NUCLEO-F401RE", "STM32F401RE", _M4, 84, 512, 96, 96, "none"),
    _board("STM32F746G-DISCO", "STM32F746NG", _M7, 216, 1024, 340, 320, "flash, SDRAM"),
)

BOARDS: Mapping[str, Board] = {board.name: board for board in _LIST}
"""By ST's name. Sizes are of the controller; a second core's clock and memory beside the controller do not count."""
