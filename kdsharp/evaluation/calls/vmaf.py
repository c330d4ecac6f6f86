"""VMAF and VMAF-NEG by libvmaf, in the FFmpeg of imageio-ffmpeg.

NEG is the model that does not reward mere sharpening.
"""

import functools
import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from kdsharp.base import optional
from kdsharp.errors import UserError
from kdsharp.evaluation.calls.measures import SUBSAMPLE

MISSING = "VMAF is left out: pip install 'kdsharp[vmaf]' installs it"

_MODELS = {"vmaf": "vmaf_v0.6.1", "vmaf_neg": "vmaf_v0.6.1neg"}


@functools.cache
def program() -> str | None:
    """The path of an FFmpeg with libvmaf, or None."""
    if not optional.installed("imageio_ffmpeg"):
        return None
    import imageio_ffmpeg

    try:
        found = imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError:
        return None
    listed = subprocess.run([found, "-v", "quiet", "-filters"], capture_output=True)
    return found if b"libvmaf" in listed.stdout else None


def _found() -> str:
    ffmpeg = program()
    assert ffmpeg is not None
    return ffmpeg


def measure(
    restored: UInt8[np.ndarray, "n h w"], true: UInt8[np.ndarray, "n h w"]
) -> dict[str, float]:
    """Computes both scores of luma in studio range, as means over every eighth frame.

    The first frame is left out, since VMAF's motion term is zero there.
    """
    height, width = true.shape[1:]
    raw_input = ["-f", "rawvideo", "-pix_fmt", "gray"]
    raw_input += ["-video_size", f"{width}x{height}", "-framerate", "30"]
    models = "|".join(
        rf"version={version}\:name={name}" for name, version in _MODELS.items()
    )
    with tempfile.TemporaryDirectory() as folder:
        reference, log = Path(folder, "true"), Path(folder, "log")
        reference.write_bytes(true.tobytes())
        graph = (
            f"libvmaf=model='{models}':n_subsample={SUBSAMPLE}:n_threads=1:"
            "log_fmt=json:log_path=log"
        )
        inputs = [*raw_input, "-i", "pipe:0", *raw_input, "-i", reference]
        done = subprocess.run(
            [_found(), "-v", "error", *inputs, "-lavfi", graph, "-f", "null", "-"],
            input=restored.tobytes(),
            capture_output=True,
            cwd=folder,
        )
        if done.returncode:
            reason = done.stderr.decode(errors="replace").strip().splitlines()
            raise UserError(f"libvmaf failed: {reason[-1] if reason else 'no reason'}")
        frames = json.loads(log.read_text())["frames"][1:]
    return {
        name: float(np.mean([frame["metrics"][name] for frame in frames]))
        for name in _MODELS
    }
