"""Simulated camera for true frames: lens blur, motion blur, sharpening, noise."""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from PIL import Image, ImageFilter


def frames(
    true: Iterable[Image.Image], scene: Mapping[str, Any], camera: Mapping, seed: int
) -> Iterator[np.ndarray]:
    """Yields the frames of the camera, RGB uint8."""
    soften = _lens(scene, camera)
    rng = np.random.default_rng(seed)
    last = None
    for frame in true:
        if last is None or frame is not last[0]:
            last = (frame, np.asarray(soften(frame)))
        pixels = last[1]
        yield _add_noise(pixels, camera["noise"], rng) if camera["noise"] else pixels


def _lens(scene: Mapping[str, Any], camera: Mapping[str, Any]):
    kernel = None
    if camera["lens"] == "gaussian":
        kernel = ImageFilter.GaussianBlur(camera["sigma"])
    elif camera["lens"] == "disc":
        kernel = _kernel(_disc(camera["radius"]))
    elif camera["lens"] == "line":
        length = math.hypot(*scene["pan"]) * camera["shutter"]
        kernel = _kernel(_line(length, math.atan2(scene["pan"][1], scene["pan"][0])))
    sharpen = camera["sharpen"] and ImageFilter.UnsharpMask(
        1, round(100 * camera["sharpen"]), 0
    )

    def soften(frame: Image.Image) -> Image.Image:
        if kernel:
            frame = frame.filter(kernel)
        return frame.filter(sharpen) if sharpen else frame

    return soften


def _kernel(weights: np.ndarray) -> ImageFilter.Kernel:
    return ImageFilter.Kernel((5, 5), list(weights.ravel() / weights.sum()))


def _disc(radius: float) -> np.ndarray:
    at = (np.arange(50) - 24.5) / 10
    inside = np.hypot(at[:, None], at) <= radius
    return inside.reshape(5, 10, 5, 10).sum((1, 3)).astype(float)


def _line(length: float, angle: float) -> np.ndarray:
    weights = np.zeros((5, 5))
    for part in np.linspace(-0.5, 0.5, 41):
        x = np.clip(2 + part * length * math.cos(angle), 0, 4)
        y = np.clip(2 + part * length * math.sin(angle), 0, 4)
        column, row = min(int(x), 3), min(int(y), 3)
        across, down = x - column, y - row
        weights[row : row + 2, column : column + 2] += np.outer(
            (1 - down, down), (1 - across, across)
        )
    return weights


def _add_noise(
    pixels: np.ndarray, sigma: float, rng: np.random.Generator
) -> np.ndarray:
    """Adds Gaussian noise, equal in all channels."""
    noise = rng.standard_normal(pixels.shape[:2], np.float32)[..., None]
    return np.clip(pixels + sigma * noise + 0.5, 0, 255).astype(np.uint8)
