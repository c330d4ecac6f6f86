"""Results of the five systems of configs/reports on photographs of your own.

    python -m benchmarks.reports ~/photographs

Each teacher, then each student, trains as in `:standin-teacher` and
`:standin-student`, for the seconds that an accelerator needs, or with `--variant hour`
as in `:hour-teacher` and `:hour-student`, for an hour of a CPU; `--times` multiplies
both. Runs are kept in `--runs`, and the same command goes on where it stopped. Students
are timed with 8-bit RGB frames in and out.
"""

import argparse
import dataclasses
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import command
from kdsharp.base import choices
from kdsharp.config_files import load_experiment
from kdsharp.data import folder
from kdsharp.errors import UserError
from kdsharp.evaluation import text
from kdsharp.evaluation.bench import backends
from kdsharp.training import budget
from kdsharp.weights import store

_ROLES = ("teacher", "student")
_BACKENDS = ("jax", "openvino")


@dataclasses.dataclass(frozen=True)
class System:
    """What one report specifies and claims, and how its stand-ins train.

    `seconds` are those of the teacher and of the student on an accelerator. Networks
    that draw the picture, not a residual, need float32, so they are not in `half`.
    """

    name: str
    claims: str
    seconds: tuple[int, int]
    half: tuple[str, ...]
    frame: str


SYSTEMS = (
    System(
        "conference_dncnn",
        "SSIM 0.952, 0.882; 11, 48 fps on a GPU",
        (40, 20),
        _ROLES,
        "1280x720",
    ),
    System(
        "helen_dncnn",
        "SSIM 0.93, 0.92; 34, 32 dB",
        (40, 20),
        _ROLES,
        "256x256",
    ),
    System(
        "celeba_unet",
        "SSIM 0.9301, 0.9138; MAE 0.0222, 0.0251",
        (35, 20),
        (),
        "128x128",
    ),
    System(
        "gopro_swinir",
        "student: SSIM 0.838; 69.4 fps on a GPU",
        (60, 20),
        ("teacher",),
        "1920x1080",
    ),
    System(
        "bicubic4_cnn",
        "SSIM 0.9730, 0.9931 (input 0.4513)",
        (15, 15),
        (),
        "1920x1080",
    ),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("photographs", type=Path, metavar="DIR")
    parser.add_argument(
        "--runs",
        type=Path,
        metavar="DIR",
        default=Path("runs/reports"),
        help="where runs are kept (%(default)s)",
    )
    parser.add_argument(
        "--systems", nargs="+", metavar="NAME", help="only these (default: all five)"
    )
    parser.add_argument(
        "--times",
        type=float,
        metavar="X",
        default=1,
        help="multiplies the seconds of training (%(default)s)",
    )
    parser.add_argument(
        "--variant",
        choices=("standin", "hour"),
        default="standin",
        help="hour: smaller batches, for an hour of a CPU each (%(default)s)",
    )


def measure(arguments: argparse.Namespace) -> list[dict]:
    """Trains what is not trained yet; measures a row for each system."""
    folder.check(arguments.photographs)
    known = [system.name for system in SYSTEMS]
    wanted = arguments.systems or known
    for name in wanted:
        if name not in known:
            raise choices.unknown("system", name, known)
    trainer = _Trainer(
        arguments.photographs.resolve(),
        arguments.runs.resolve(),
        arguments.variant,
        arguments.times,
    )
    return [_measured(system, trainer) for system in SYSTEMS if system.name in wanted]


def report(results: list[dict]) -> str:
    """Formats a table with a row for each system."""
    lines = [
        [
            *("system", "blur", "claimed for teacher, student"),
            *("input: SSIM / MAE / PSNR", "teacher", "student"),
            *("student, frames/s", "steps"),
        ]
    ]
    for row in results:
        scores = (row["scores"][name] for name in ("input", *_ROLES))
        cells = (f"{s['ssim']:.4f} / {s['mae']:.4f} / {s['psnr']:.2f}" for s in scores)
        lines.append(
            [
                *(row["system"], row["blur"], row["claims"], *cells),
                f"{row['frames_per_second']:.1f} at {row['frame']}",
                " + ".join(f"{steps:,}" for steps in row["steps"]),
            ]
        )
    return text.table(lines, words=3)


@dataclasses.dataclass(frozen=True)
class _Trainer:
    """Trains networks on photographs, and keeps them in the folder `runs`."""

    photographs: Path
    runs: Path
    variant: str
    times: float

    def card(self, system: System, role: str) -> dict:
        """Trains a network, or finds it trained; returns its card."""
        run = self.folder(system, role)
        if not (run / "report.md").exists():
            _run(["kdsharp.main", *self._flags(system, role), f"--workdir={run}"])
        return store.read_card(next(run.glob("*.safetensors")))

    def folder(self, system: System, content: str) -> Path:
        """Where a network of a system, or its speed, is kept."""
        suffix = "_hour" if self.variant == "hour" else ""
        return self.runs / f"{system.name}_{content}{suffix}"

    def _flags(self, system: System, role: str) -> list[str]:
        path = f"configs/reports/{system.name}.py:{self.variant}-{role}"
        config = load_experiment(path)
        source = config.data.source.replace("photographs", str(self.photographs), 1)
        flags = [f"--config={path}", f"--config.data.source={source}"]
        if self.variant == "standin":
            seconds = system.seconds[_ROLES.index(role)]
            if role in system.half:
                flags.append("--config.dtype=bfloat16")
        else:
            seconds = budget.parse(config.budget)
        flags.append(f"--config.budget={max(1, round(seconds * self.times))}s")
        if role == "student":
            teacher = self.folder(system, "teacher")
            flags.append(f"--config.teacher.weights={teacher}")
        return flags


def _measured(system: System, trainer: _Trainer) -> dict:
    cards = [trainer.card(system, role) for role in _ROLES]
    return {
        "system": system.name,
        "blur": cards[1]["degradation"],
        "claims": system.claims,
        "scores": cards[1]["scores"]["held-out pictures"],
        "frame": system.frame,
        "frames_per_second": _frames_per_second(system, trainer),
        "steps": [card["training"]["steps"] for card in cards],
    }


def _frames_per_second(system: System, trainer: _Trainer) -> float:
    """Times the student with the fastest backend at hand."""
    out = trainer.folder(system, "speed")
    weights = str(trainer.folder(system, "student"))
    installed = [name for name in _BACKENDS if backends.BACKENDS[name].installed]
    _run(
        [
            *("kdsharp.cli", "bench", "--weights", weights, "--size", system.frame),
            *("--backend", *installed, "--frames", "20", "--out", str(out)),
        ]
    )
    (timed,) = json.loads((out / "speed.json").read_text())["sizes"]
    return max(row["frames_per_second"] for row in timed["rows"])


def _run(module: Sequence[str]) -> None:
    """Runs a module; what it prints goes to the error output."""
    try:
        subprocess.run([sys.executable, "-m", *module], check=True, stdout=sys.stderr)
    except subprocess.CalledProcessError as error:
        raise UserError(f"{module[0]} failed; the same command goes on") from error


if __name__ == "__main__":
    sys.exit(command.run(__name__))
