"""A benchmark's numbers as a file: with the machine, the date and the commit."""

import datetime
import json
import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

import jax

from kdsharp.base import atomic_files

_ROOT = Path(__file__).parents[1]


def write(
    path: Path,
    name: str,
    arguments: dict[str, Any],
    results: Any,
    load_before: float | None = None,
) -> None:
    """Writes the results as JSON, beside all that they depend on."""
    kept = {
        "benchmark": name,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": {**machine(), "load": {"before": load_before, "after": load()}},
        "arguments": arguments,
        "results": results,
    }
    text = json.dumps(kept, indent=2, default=str)
    atomic_files.write_text(path, text + "\n")


def machine() -> dict[str, Any]:
    """Returns the processor, its cores, JAX's device, and what runs on them."""
    info = Path("/proc/cpuinfo")
    model = info.exists() and re.search(r"model name\s*: (.*)", info.read_text())
    return {
        "processor": model[1] if model else platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "device": jax.devices()[0].device_kind,
        "system": platform.platform(),
        "python": platform.python_version(),
        "jax": jax.__version__,
    }


def load() -> float | None:
    """Returns how many processes wanted a core in the last minute, where it is known.

    More than there are cores means that others were at work.
    """
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def commit() -> str:
    """Returns the commit that was measured, with `-dirty` if files differ from it."""
    asked = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        told = subprocess.run(
            asked, cwd=_ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return told.stdout.strip()
