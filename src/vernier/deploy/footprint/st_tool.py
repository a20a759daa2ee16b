"""ST's own command-line tool, where it is installed: its figures for the same network. Its cloud is never asked."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

if TYPE_CHECKING:
    import onnx

_NAMES = ("stedgeai", "stm32ai")
_HOME = "STEDGEAI_CORE_DIR"
_TARGET = ("--target", "stm32h7")
"""Only stedgeai knows targets; stm32ai is for STM32 alone."""
_SECONDS = 600.0
_RAM_KEYS = ("activations", "ram_size")
_FLASH_KEYS = ("weights", "rom_size")


@final
@dataclass(frozen=True)
class StReport:
    """What the tool says of a network.

    Attributes:
        tool: its file.
        ram: bytes of activations; None where its report has no such figure.
        flash: bytes of weights; None likewise.
        problem: why there are no figures; None when all went well.
    """

    tool: Path
    ram: int | None = None
    flash: int | None = None
    problem: str | None = None


def find_st_tool() -> Path | None:
    """`stedgeai` or `stm32ai` from the directory that STEDGEAI_CORE_DIR names, else from PATH; None without."""
    home = os.environ.get(_HOME)
    if home:
        for name in _NAMES:
            found = sorted(path for path in Path(home).glob(f"Utilities/*/{name}*") if os.access(path, os.X_OK))
            if found:
                return found[0]
    on_path = (shutil.which(name) for name in _NAMES)
    return next((Path(path) for path in on_path if path), None)


def run_st_tool(tool: Path, network: "onnx.ModelProto", *, seconds: float = _SECONDS) -> StReport:
    """Let the tool generate code for a network in a temporary directory, and read its report.

    Args:
        tool: Its file.
        network: From a float image to logits.
        seconds: After this the tool is ended.

    Returns:
        Its figures, or why there are none: a tool that fails fails nothing here.
    """
    with tempfile.TemporaryDirectory(prefix="vernier-st-") as directory:
        place = Path(directory)
        model, output = place / "network.onnx", place / "output"
        model.write_bytes(network.SerializeToString())
        command = [str(tool), "generate", *(_TARGET if tool.stem.startswith("stedgeai") else ())]
        command += ["--name", "network", "--model", str(model)]
        command += ["--output", str(output), "--workspace", str(place / "workspace")]
        try:
            done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=seconds, check=False)
        except subprocess.TimeoutExpired:
            return StReport(tool, problem=f"was ended after {seconds:g} s")
        except OSError as error:
            return StReport(tool, problem=f"can't be run: {error.strerror or error}")
        if done.returncode:
            return StReport(tool, problem=f"ended with status {done.returncode}: {_last_line(done)}")
        return _read_report(tool, place)


def _last_line(done: "subprocess.CompletedProcess[str]") -> str:
    lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


def _read_report(tool: Path, place: Path) -> StReport:
    """The figures of the first report that has any: newer tools write *_c_info.json, older ones *_report.json."""
    reports = [*sorted(place.rglob("*c_info.json")), *sorted(place.rglob("*report.json"))]
    for path in reports:
        values = _read_json(path)
        ram, flash = _first(values, _RAM_KEYS), _first(values, _FLASH_KEYS)
        if ram is not None or flash is not None:
            return StReport(tool, ram, flash)
    return StReport(tool, problem="wrote no report with figures of memory")


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _first(values: Any, keys: tuple[str, ...]) -> int | None:
    """The first whole number under one of some keys, wherever it stands."""
    return next((number for key in keys for number in _numbers(values, key)), None)


def _numbers(values: Any, key: str) -> Iterator[int]:
    if isinstance(values, dict):
        found = values.get(key)
        if isinstance(found, int) and not isinstance(found, bool):
            yield found
        for value in values.values():
            yield from _numbers(value, key)
    elif isinstance(values, list):
        for value in values:
            yield from _numbers(value, key)
