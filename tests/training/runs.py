"""Small runs for tests, in this process or as a subprocess."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from ml_collections import ConfigDict
from PIL import Image

from configs import student
from tests import waiting

ROOT = Path(__file__).parents[2]
# In this process, use one of the eight devices.
_QUICK = {"devices": 1, "epochs": 4, "checkpoint_every": 100}


def write_photographs(folder: Path, count: int = 6, size: int = 48) -> Path:
    """Writes pictures with edges, for something to sharpen."""
    rng = np.random.default_rng(0)
    for split in ("train", "valid", "test"):
        (folder / split).mkdir(parents=True)
        for index in range(count):
            picture = np.zeros((size, size, 3), np.uint8)
            for _ in range(30):
                top, left = rng.integers(0, size - 8, 2)
                height, width = rng.integers(2, 16, 2)
                colour = rng.integers(0, 256, 3)
                picture[top : top + height, left : left + width] = colour
            Image.fromarray(picture).save(folder / split / f"{index}.png")
    return folder


def small_config(photographs: Path, **changes) -> ConfigDict:
    """A config of a run of a few seconds with all features of a long one."""
    config = student.get_config()
    config.update_from_flattened_dict({**small(photographs), **_QUICK, **changes})
    return config


def small(photographs: Path) -> dict:
    """The overrides that make the student's config small."""
    return {
        "teacher.weights": "",
        "objective.residual_kd": 0.0,
        "model.depth": 4,
        "model.width": 8,
        "model.norm_after": (2,),
        "data.source": f"folder:{photographs}",
        "data.patch_size": 16,
        "data.crops_per_picture": 8,
        "batch_size": 8,
        "epochs": 30,
        "optimizer.warmup_steps": 2,
        "validation.size": 32,
        "log_every": 1,
        "checkpoint_every": 2,
    }


def command(photographs: Path, workdir: Path, **changes) -> list[str]:
    """The command line of the same run."""
    values = {**small(photographs), **changes}
    flags = [f"--config.{name}={value}" for name, value in values.items()]
    return [
        sys.executable,
        "-m",
        "kdsharp.main",
        f"--config={ROOT / 'configs' / 'student.py'}",
        f"--workdir={workdir}",
        *flags,
    ]


def run(arguments: list[str], **options) -> subprocess.CompletedProcess:
    """Runs a command to its end and captures its output as text."""
    return subprocess.run(
        arguments,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=waiting.PATIENCE,
        **options,
    )


def curve(workdir: Path) -> list[dict]:
    """Reads the lines of `metrics.jsonl`, without the timings."""
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    return [
        {k: v for k, v in json.loads(line).items() if not k.startswith("time/")}
        for line in lines
    ]


def losses(workdir: Path) -> np.ndarray:
    """Reads the logged losses."""
    return np.array([r["train/loss"] for r in curve(workdir) if "train/loss" in r])


def wait_for_steps(workdir: Path, steps: int, process: subprocess.Popen) -> None:
    """Waits until `metrics.jsonl` has that many lines."""
    metrics = workdir / "metrics.jsonl"
    waiting.until(
        lambda: metrics.exists() and metrics.read_bytes().count(b"\n") >= steps,
        f"{steps} lines in {metrics}",
        ended=lambda: process.poll() is not None,
    )
