"""Runs a user shader on planes of luma, by the libplacebo of an installed ffmpeg.

It needs a Vulkan driver; Mesa's lavapipe is one for machines without a GPU.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

import jax
import numpy as np

from kdsharp.errors import UserError
from kdsharp.export.glsl import LEVELS
from kdsharp.export.network import TrainedNetwork

_RANGES = {"studio": "tv", "full": "pc"}
# Of the random plane that parity is told on: odd sides, so that edges are mirrored.
_SIZE = 53, 37


def available() -> bool:
    """Whether there is an ffmpeg with libplacebo, and a Vulkan device."""
    if not shutil.which("ffmpeg"):
        return False
    command = ["ffmpeg", "-v", "error", "-init_hw_device", "vulkan"]
    command += ["-filters"]
    listed = subprocess.run(command, capture_output=True, text=True)
    if " libplacebo " not in listed.stdout:
        return False
    tried = ["ffmpeg", "-v", "error", "-init_hw_device", "vulkan", "-f", "lavfi"]
    tried += ["-i", "color=s=16x16:d=0.04", "-f", "null", "-"]
    return not subprocess.run(tried, capture_output=True).returncode


def run(shader: Path, plane: np.ndarray, *, range_: str = "studio") -> np.ndarray:
    """What the shader makes of a plane of 8 bits."""
    height, width = plane.shape
    grey = np.full((2, height, width), 128, np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        # Names of filters' options need quoting; such a name does not.
        plain = Path(folder) / "shader.glsl"
        shutil.copyfile(shader, plain)
        filters = [
            "hwupload",
            f"libplacebo=custom_shader_path={plain}:format=yuv444p:dithering=-1",
            "hwdownload",
            "format=yuv444p",
        ]
        command = ["ffmpeg", "-v", "error", "-init_hw_device", "vulkan"]
        command += ["-f", "rawvideo", "-pix_fmt", "yuv444p", "-s", f"{width}x{height}"]
        command += ["-color_range", _RANGES[range_], "-colorspace", "bt709", "-i", "-"]
        command += ["-vf", ",".join(filters), "-f", "rawvideo", "-"]
        ended = subprocess.run(
            command, input=plane.tobytes() + grey.tobytes(), capture_output=True
        )
    told = ended.stderr.decode(errors="replace")
    # A shader that does not compile is left out, and the frame comes through.
    if "Failed" in told or len(ended.stdout) != 3 * height * width:
        lines = [
            line for line in told.splitlines() if "ERROR" in line or "Failed" in line
        ]
        raise UserError(f"libplacebo refuses {shader}: {(lines or ['no reason'])[0]}")
    return np.frombuffer(ended.stdout, np.uint8)[: height * width].reshape(plane.shape)


def parity(
    network: TrainedNetwork, shader: Path, *, range_: str, strength: float
) -> str:
    """How far what the shader draws is from the network in JAX, as a sentence."""
    if not available():
        return "not tried: that takes ffmpeg with libplacebo, and a Vulkan driver"
    black, span = (255 * level for level in LEVELS[range_])
    width, height = _SIZE
    values = np.random.default_rng(0).random((height, width))
    plane = np.round(black + span * values).astype(np.uint8)
    pixels = ((plane - black) / span).astype(np.float32)[None, ..., None]
    residual = jax.jit(network.model.apply)(network.variables, pixels)[0, ..., 0]
    wanted = np.round(np.clip(plane + strength * span * np.asarray(residual), 0, 255))
    apart = np.abs(run(shader, plane, range_=range_) - wanted).max()
    return (
        f"{apart:.0f} grey levels from JAX at most, on a random plane of "
        f"{width}x{height}, by libplacebo"
    )
