"""Overhead of a run: seconds to the first step, waiting for input, peak memory.

    python -m benchmarks.run_costs configs/student.py configs/teacher.py

Each config is run twice and stopped after some steps: first with empty caches, then
with the caches of the first run (generated pictures, compiled programs).
"""

import argparse
import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tqdm import tqdm

from benchmarks import command
from kdsharp.errors import UserError
from kdsharp.evaluation import text


def start(config: str, cache: Path, workdir: Path, steps: int) -> dict[str, float]:
    """Runs the config; measures time to first step, time share of input, peak MB."""
    start_time = time.monotonic()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "kdsharp.main", f"--config={config}"),
            *(f"--workdir={workdir}", "--config.log_every=1"),
        ],
        env={**os.environ, "KDSHARP_CACHE": str(cache)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    metrics = workdir / "metrics.jsonl"
    first = 0.0
    lines: list[str] = []
    while len(lines) < steps:
        if process.poll() is not None:
            error = process.stderr.read().strip()
            raise UserError(f"{config} ended before step {steps}: {error}")
        time.sleep(0.02)
        lines = metrics.read_text().splitlines() if metrics.exists() else []
        if lines and not first:
            first = time.monotonic() - start_time
    process.send_signal(signal.SIGTERM)
    process.stderr.read()
    _, _, usage = os.wait4(process.pid, 0)
    records = [json.loads(line) for line in lines[2:steps]]
    seconds = [1 / r["time/images_per_second"] for r in records if _is_step(r)]
    waited = [
        r["time/waiting_for_input"] / r["time/images_per_second"]
        for r in records
        if _is_step(r)
    ]
    return {
        "first": first,
        "waited": sum(waited) / sum(seconds),
        "memory": usage.ru_maxrss / 1024,
    }


def _is_step(record: dict) -> bool:
    return "time/images_per_second" in record


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("configs", nargs="+", metavar="CONFIG")
    parser.add_argument(
        "--steps", type=int, default=40, help="steps to run (%(default)s)"
    )


def measure(arguments: argparse.Namespace) -> list[dict]:
    """Measures a row for each config and state of the caches."""
    rows = []
    with tempfile.TemporaryDirectory() as root:
        starts = list(itertools.product(arguments.configs, ("empty", "warm")))
        for config, state in tqdm(starts, leave=False):
            stem = Path(config).stem
            cache, workdir = (Path(root, f"{stem}-{kind}") for kind in ("cache", state))
            cost = start(config, cache, workdir, arguments.steps)
            rows.append({"config": config, "caches": state, **cost})
    return rows


def report(results: list[dict]) -> str:
    """Formats a table with a row for each run."""
    lines = [["config", "caches", "first step, s", "waiting, %", "peak MB"]]
    for row in results:
        numbers = f"{row['first']:.1f}", f"{100 * row['waited']:.2f}"
        memory = f"{row['memory']:.0f}"
        lines.append([row["config"], row["caches"], *numbers, memory])
    return text.table(lines, words=2)


if __name__ == "__main__":
    sys.exit(command.run(__name__))
