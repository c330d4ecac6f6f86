"""Videos for a browser's fake camera."""

import pathlib

import numpy as np
from PIL import Image, ImageFilter
from skimage import data


def write(path: pathlib.Path, width: int, height: int, count: int = 24) -> None:
    """Writes a film that moves over a blurred photograph, as YUV4MPEG2, 30 a second."""
    wide = Image.fromarray(data.astronaut()).resize((width + 4 * count, height))
    wide = wide.filter(ImageFilter.GaussianBlur(1.2))
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F30:1 Ip C420jpeg\n".encode())
        for number in range(count):
            left = 4 * number
            frame = wide.crop((left, 0, left + width, height)).convert("YCbCr")
            y, cb, cr = frame.split()
            half = (width // 2, height // 2)
            file.write(b"FRAME\n" + y.tobytes())
            file.write(cb.resize(half).tobytes() + cr.resize(half).tobytes())


def plane(width: int, height: int) -> np.ndarray:
    """Luma of a blurred photograph in studio range."""
    picture = Image.fromarray(data.astronaut()).convert("L").resize((width, height))
    picture = picture.filter(ImageFilter.GaussianBlur(1))
    return np.round(16 + np.asarray(picture) * (219 / 255)).astype(np.uint8)
