"""Saves a benchmark's numbers as JSON, with the machine, date and commit."""

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
    """Writes the results and the conditions under which they were measured."""
    record = {
        "benchmark": name,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": {**machine(), "load": {"before": load_before, "after": load()}},
        "arguments": arguments,
        "results": results,
    }
    text = json.dumps(record, indent=2, default=str)
    atomic_files.write_text(path, text + "\n")


def machine() -> dict[str, Any]:
    """Describes the processor, JAX's device, and the software versions."""
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
    """The load average of the last minute; None where the system has none.

    A value above the number of cores means that other programs were running.
    """
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def commit() -> str:
    """The measured commit, with `-dirty` if files differ from it, or `unknown`."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        result = subprocess.run(
            command, cwd=_ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return result.stdout.strip()
