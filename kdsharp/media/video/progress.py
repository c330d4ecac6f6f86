"""Progress and timing of video."""

import tqdm

from kdsharp.media.video.pipeline import Stage


def bar(frames: int | None) -> tqdm.tqdm:
    """A progress bar in frames per second, shown on terminals only."""
    return tqdm.tqdm(
        total=frames,
        unit=" frames",
        disable=None,
        mininterval=0.3,
        smoothing=0.1,
        dynamic_ncols=True,
    )


def split(stages: list[Stage], frames: int, seconds: float) -> str:
    """A table of the time each stage was busy.

    Stages run in parallel, so the busiest one is the bottleneck.
    """
    lines = [f"{'stage':8} {'ms/frame':>10} {'busy':>6}"]
    for stage in stages:
        each = 1000 * stage.busy / max(frames, 1)
        lines.append(f"{stage.name:8} {each:10.1f} {stage.busy / seconds:6.0%}")
    return "\n".join(lines)
