"""`kdsharp mos`: creates, serves and evaluates opinion studies."""

from collections.abc import Sequence
from pathlib import Path

from kdsharp.base import compilation
from kdsharp.errors import UserError


def new(
    study: Path,
    *,
    images: Path,
    models: Sequence[str],
    degradation: str,
    size: str,
    training: int,
    repeats: int,
    title: str,
    seed: int,
) -> None:
    """Creates a study; `size` is that of its pictures, such as `640x480`."""
    from kdsharp.study import plan

    width, x, height = size.partition("x")
    if not (
        x and width.isdecimal() and height.isdecimal() and int(width) * int(height)
    ):
        raise UserError(f"--size must look like 640x480, not {size!r}")
    compilation.enable_cache()
    plan.run(
        study,
        images=images,
        models=models,
        degradation=degradation,
        size=(int(width), int(height)),
        training=training,
        repeats=repeats,
        title=title,
        seed=seed,
    )


def serve(study: Path, *, host: str, port: int) -> None:
    """Serves the study until stopped."""
    from kdsharp.study import serving

    serving.run(study, host=host, port=port)


def report(study: Path, out: Path | None) -> None:
    """Writes the results as tables and plots."""
    from kdsharp.study import rating_report

    rating_report.run(study, out or study / "report")


def try_(study: Path, raters: int, *, seed: int) -> None:
    """Adds ratings by synthetic raters and prints the true scores behind them."""
    from kdsharp.study import synthetic

    if raters < 1:
        raise UserError(f"--raters must be at least 1, not {raters}")
    truth = synthetic.play(study, raters, seed=seed)
    scores = ", ".join(f"{model} {value:.2f}" for model, value in truth.items())
    print(f"{raters} synthetic raters, drawn from the true scores: {scores}")
