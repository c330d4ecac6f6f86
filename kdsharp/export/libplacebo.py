"""Runs a user shader on luma planes, with libplacebo in an installed ffmpeg.

This needs a Vulkan driver, such as Mesa's lavapipe on machines without a GPU.
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
# Size of the random plane for the parity check; odd, so that edges are mirrored.
_SIZE = 53, 37


def available() -> bool:
    """Whether ffmpeg with libplacebo and a Vulkan device are available."""
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
    """Runs the shader on an 8-bit plane."""
    height, width = plane.shape
    grey = np.full((2, height, width), 128, np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        # A plain path needs no quoting in the filter's options.
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
    log = ended.stderr.decode(errors="replace")
    # A shader that does not compile is skipped, and the frame passes unchanged.
    if "Failed" in log or len(ended.stdout) != 3 * height * width:
        lines = [
            line for line in log.splitlines() if "ERROR" in line or "Failed" in line
        ]
        raise UserError(
            f"libplacebo rejects {shader}: {(lines or ['no reason given'])[0]}"
        )
    return np.frombuffer(ended.stdout, np.uint8)[: height * width].reshape(plane.shape)


def parity(
    network: TrainedNetwork, shader: Path, *, range_: str, strength: float
) -> str:
    """Describes how far the shader's output is from the network in JAX."""
    if not available():
        return "not checked: needs ffmpeg with libplacebo, and a Vulkan driver"
    black, span = (255 * level for level in LEVELS[range_])
    width, height = _SIZE
    values = np.random.default_rng(0).random((height, width))
    plane = np.round(black + span * values).astype(np.uint8)
    pixels = ((plane - black) / span).astype(np.float32)[None, ..., None]
    residual = jax.jit(network.model.apply)(network.variables, pixels)[0, ..., 0]
    wanted = np.round(np.clip(plane + strength * span * np.asarray(residual), 0, 255))
    apart = np.abs(run(shader, plane, range_=range_) - wanted).max()
    return (
        f"differs from JAX by at most {apart:.0f} grey levels, on a random plane of "
        f"{width}x{height}, in libplacebo"
    )
