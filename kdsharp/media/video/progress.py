"""How far a video is, and where the time went."""

import tqdm

from kdsharp.media.video.pipeline import Stage


def bar(frames: int | None) -> tqdm.tqdm:
    """Returns a bar that shows frames a second and the time left, on a terminal."""
    return tqdm.tqdm(
        total=frames,
        unit=" frames",
        disable=None,
        mininterval=0.3,
        smoothing=0.1,
        dynamic_ncols=True,
    )


def split(stages: list[Stage], frames: int, seconds: float) -> str:
    """Returns how long each stage worked, and for how much of the time.

    Stages work at the same time: the busiest is what the others wait for.
    """
    lines = [f"{'stage':8} {'ms a frame':>10} {'busy':>6}"]
    for stage in stages:
        each = 1000 * stage.busy / max(frames, 1)
        lines.append(f"{stage.name:8} {each:10.1f} {stage.busy / seconds:6.0%}")
    return "\n".join(lines)
