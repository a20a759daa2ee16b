"""What the figures were measured on and with."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

_PACKAGES = (
    "vernier",
    "torch",
    "torchvision",
    "timm",
    "lightning",
    "keras",
    "tensorflow-cpu",
    "ultralytics",
    "numpy",
    "pillow",
    "opencv-python-headless",
    "simplejpeg",
)
_ASK = """
import importlib.metadata as m, json, platform, sys
found = {"python": platform.python_version()}
for name in sys.argv[1:]:
    try:
        found[name] = m.version(name)
    except m.PackageNotFoundError:
        pass
print(json.dumps(found))
"""


def versions(python: Path) -> dict[str, str]:
    """Versions of the packages that matter in an environment."""
    done = subprocess.run([str(python), "-c", _ASK, *_PACKAGES], stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found


def processor() -> str:
    """The processor's name as lscpu has it, with the cores that this process may use."""
    try:
        text = subprocess.run(["lscpu"], stdout=subprocess.PIPE, text=True, check=True).stdout
    except FileNotFoundError:
        text = ""
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    model = fields.get("Model name", "processor of unknown name").strip()
    extras = [flag for flag in ("avx512f", "avx512_bf16", "amx_bf16") if flag in fields.get("Flags", "").split()]
    return f"{model}, {len(os.sched_getaffinity(0))} cores{', ' if extras else ''}{', '.join(extras)}"


def threads() -> str:
    """How many compute threads each tool takes."""
    number = os.environ.get("OMP_NUM_THREADS")
    return f"OMP_NUM_THREADS={number}" if number else "as each tool chooses by default: all cores"


def versions_lines(pythons: Mapping[str, Path]) -> str:
    """A line for each environment."""
    names = {python: name for name, python in reversed(pythons.items())}
    lines = []
    for python, name in names.items():
        lines.append(f"- {name}: " + ", ".join(f"{key} {value}" for key, value in versions(python).items()))
    return "\n".join(sorted(lines))
