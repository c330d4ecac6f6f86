"""What a run costs beside its steps: the way to the first, waiting for input, memory.

    python -m kdsharp.evaluation.costs.run_costs configs/student.py configs/teacher.py

Each config is started for real, twice: with empty caches, then with what the first
start left there (generated pictures, compiled programs), and stopped after some steps.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from absl import app, flags

_STEPS = flags.DEFINE_integer("steps", 40, "Steps to watch")


def start(config: str, cache: Path, workdir: Path, steps: int) -> dict[str, float]:
    """Returns the seconds to the first step, the share waited, and the peak MB."""
    began = time.monotonic()
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
            raise SystemExit(process.stderr.read())
        time.sleep(0.02)
        lines = metrics.read_text().splitlines() if metrics.exists() else []
        if lines and not first:
            first = time.monotonic() - began
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


def main(argv: list[str]) -> None:
    """Prints a line a start."""
    print("| config                | caches | first step, s | waiting, % | peak MB |")
    print("| --------------------- | ------ | ------------: | ---------: | ------: |")
    with tempfile.TemporaryDirectory() as root:
        for config in argv[1:]:
            cache = Path(root) / f"cache-{Path(config).stem}"
            for state in ("empty", "warm"):
                workdir = Path(root) / f"{Path(config).stem}-{state}"
                cost = start(config, cache, workdir, _STEPS.value)
                print(
                    f"| {config:21} | {state:6} | {cost['first']:13.1f} "
                    f"| {100 * cost['waited']:10.2f} | {cost['memory']:7.0f} |",
                    flush=True,
                )


if __name__ == "__main__":
    app.run(main)
