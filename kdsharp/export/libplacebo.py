"""Runs a user shader on luma planes, with libplacebo in an installed ffmpeg.

This needs a Vulkan driver, such as Mesa's lavapipe on machines without a GPU.
"""

import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import jax
import numpy as np
from jaxtyping import Float

from kdsharp.errors import UserError
from kdsharp.export.glsl import LEVELS
from kdsharp.export.network import TrainedNetwork

_FFMPEG = ("ffmpeg", "-init_hw_device", "vulkan")
_RANGES = {"studio": "tv", "full": "pc"}
# Size of the random plane for the parity check; odd, so that edges are mirrored.
_SIZE = 53, 37


def available() -> bool:
    """Whether ffmpeg with libplacebo and a Vulkan device are available."""
    if not shutil.which("ffmpeg"):
        return False
    listed = subprocess.run(
        [*_FFMPEG, "-v", "error", "-filters"], capture_output=True, text=True
    )
    return " libplacebo " in listed.stdout and not _tried().returncode


def device() -> str:
    """The name of the Vulkan device that ffmpeg chooses."""
    found = re.search(r"Device \d+ selected: (.*?)( \(0x\w+\))?\n", _tried().stderr)
    return found[1] if found else "an unknown device"


def _tried() -> subprocess.CompletedProcess[str]:
    """Opens the Vulkan device for a frame, and logs which."""
    command = [*_FFMPEG, "-v", "verbose", "-f", "lavfi", "-i", "color=s=16x16:d=0.04"]
    return subprocess.run([*command, "-f", "null", "-"], capture_output=True, text=True)


def seconds(shader: Path | None, width: int, height: int, *, frames: int) -> float:
    """The seconds ffmpeg takes for that many frames of a test pattern.

    Without a shader they pass through libplacebo unchanged.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [*_FFMPEG, "-v", "error", "-f", "lavfi"]
        command += ["-i", f"testsrc2=s={width}x{height},format=yuv444p"]
        command += ["-vf", _filters(shader, Path(folder)), "-frames:v", str(frames)]
        begin = time.perf_counter()
        ended = subprocess.run([*command, "-f", "null", "-"], capture_output=True)
        taken = time.perf_counter() - begin
    _check(ended, shader)
    return taken


def run(shader: Path, plane: np.ndarray, *, range_: str = "studio") -> np.ndarray:
    """Runs the shader on an 8-bit plane."""
    height, width = plane.shape
    grey = np.full((2, height, width), 128, np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        command = [*_FFMPEG, "-v", "error"]
        command += ["-f", "rawvideo", "-pix_fmt", "yuv444p", "-s", f"{width}x{height}"]
        command += ["-color_range", _RANGES[range_], "-colorspace", "bt709", "-i", "-"]
        command += ["-vf", _filters(shader, Path(folder)), "-f", "rawvideo", "-"]
        ended = subprocess.run(
            command, input=plane.tobytes() + grey.tobytes(), capture_output=True
        )
    _check(ended, shader, len(ended.stdout) == 3 * height * width)
    return np.frombuffer(ended.stdout, np.uint8)[: height * width].reshape(plane.shape)


def _filters(shader: Path | None, folder: Path) -> str:
    """Upload, libplacebo and download; copies the shader to the folder."""
    options = ["format=yuv444p", "dithering=-1"]
    if shader is not None:
        # A plain path needs no quoting in the filter's options.
        plain = folder / "shader.glsl"
        shutil.copyfile(shader, plain)
        options.insert(0, f"custom_shader_path={plain}")
    steps = ["hwupload", f"libplacebo={':'.join(options)}", "hwdownload"]
    return ",".join([*steps, "format=yuv444p"])


def _check(
    ended: subprocess.CompletedProcess[bytes],
    shader: Path | None,
    whole: bool = True,
) -> None:
    """Refuses a run that failed or left the shader out."""
    log = ended.stderr.decode(errors="replace")
    # A shader that does not compile is skipped, and the frame passes unchanged.
    if ended.returncode or "Failed" in log or not whole:
        lines = [
            line for line in log.splitlines() if "ERROR" in line or "Failed" in line
        ]
        reason = (lines or ["no reason given"])[0]
        raise UserError(f"libplacebo rejects {shader or 'the frames'}: {reason}")


def parity(
    network: TrainedNetwork,
    shader: Path,
    *,
    range_: str,
    strength: float,
    gains: Float[np.ndarray, "filters"] | None = None,
) -> str:
    """Describes how far the shader's output is from the network in JAX.

    `gains` are those that the shader was made with.
    """
    if not available():
        return "not checked: needs ffmpeg with libplacebo, and a Vulkan driver"
    black, span = (255 * level for level in LEVELS[range_])
    width, height = _SIZE
    values = np.random.default_rng(0).random((height, width))
    plane = np.round(black + span * values).astype(np.uint8)
    pixels = ((plane - black) / span).astype(np.float32)[None, ..., None]
    given = None if gains is None else gains[None]
    restore = jax.jit(network.model.apply)
    residual = restore(network.variables, pixels, gains=given)[0, ..., 0]
    wanted = np.round(np.clip(plane + strength * span * np.asarray(residual), 0, 255))
    apart = np.abs(run(shader, plane, range_=range_) - wanted).max()
    return (
        f"differs from JAX by at most {apart:.0f} grey levels, on a random plane of "
        f"{width}x{height}, in libplacebo"
    )
