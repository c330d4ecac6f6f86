"""Procedural photographs: leaves that hide one another, coloured and textured.

After Achddou, Gousseau, Ladjal, "Synthetic images as a regularity prior for image
restoration neural networks" (SSVM 2021). Sizes follow a power law, so that the picture
looks alike at every scale, as photographs do; edges are rendered at twice the size and
averaged, as a sensor does.

Run as a script it renders a share of a file of pictures; it imports NumPy and SciPy
alone, so that many such processes start quickly.
"""

import functools
import sys

import numpy as np
import scipy.fft

VERSION = 1
"""To be raised with every change of what `render` returns."""

_OVERSAMPLING = 2
_ANGLES = 1024


def render(index: int, *, size: int, seed: int) -> np.ndarray:
    """Picture number `index` of the endless series `seed`: uint8 `[size, size, 3]`."""
    rng = np.random.default_rng((VERSION, seed, index))
    canvas = size * _OVERSAMPLING
    labels, count = _leaves(rng, canvas)
    pixels = _paint(rng, labels, count)
    pixels = pixels.reshape(size, _OVERSAMPLING, size, _OVERSAMPLING, 3).mean((1, 3))
    return np.round(np.clip(pixels, 0, 1) * 255).astype(np.uint8)


def _leaves(rng, canvas):
    labels = np.zeros((canvas, canvas), np.int32)
    angle, radius = _polar(canvas)
    label = 1
    r_min, r_max = 3.0, canvas * 0.6
    for low, covered in ((20.0, 2.0), (r_min, 2.5)):
        mean_area = np.pi * np.log(r_max / low) / (0.5 * (low**-2 - r_max**-2))
        count = int(covered * canvas**2 / mean_area)
        u = rng.random(count)
        radii = (low**-2 + u * (r_max**-2 - low**-2)) ** -0.5
        for r in radii:
            y, x = rng.integers(0, canvas, 2)
            reach = min(int(r * 1.5) + 1, canvas)
            top, bottom = max(0, y - reach), min(canvas, y + reach)
            left, right = max(0, x - reach), min(canvas, x + reach)
            rows = slice(top - y + canvas, bottom - y + canvas)
            columns = slice(left - x + canvas, right - x + canvas)
            outline = _OUTLINES[rng.integers(len(_OUTLINES))] * r
            outline = np.roll(outline, rng.integers(_ANGLES))
            inside = radius[rows, columns] < outline[angle[rows, columns]]
            np.copyto(labels[top:bottom, left:right], label, where=inside)
            label += 1
    return labels, label


def _paint(rng, labels, count):
    canvas = len(labels)
    base = rng.normal(size=3) * (0.2, 0.06, 0.03) + (0.8, 0.03, 0.0)
    colour = base + rng.normal(size=(count, 3)) * (0.4, 0.07, 0.03)
    to_rgb = np.array(
        [[1, 1, 1], [1, 0, -1], [1, -2, 1]], float
    ) / np.sqrt([[3.0], [2.0], [6.0]])
    pixels = (colour @ to_rgb).astype(np.float32)[labels]
    amplitude = (rng.exponential(0.05, count)).astype(np.float32)
    noise = _noise(rng, canvas, 1.0)
    return pixels + (amplitude[labels] * noise)[..., None]


def _noise(rng, canvas, alpha):
    white = rng.standard_normal((canvas, canvas), np.float32)
    spectrum = scipy.fft.rfft2(white)
    f = np.hypot(np.fft.fftfreq(canvas)[:, None], np.fft.rfftfreq(canvas)[None])
    f[0, 0] = np.inf
    noise = scipy.fft.irfft2(spectrum * (f**-alpha).astype(np.float32))
    return noise / noise.std()


@functools.cache
def _polar(canvas):
    span = np.arange(-canvas, canvas, dtype=np.float32)
    angle = np.arctan2(span[:, None], span[None])
    bins = np.floor((angle / (2 * np.pi) + 0.5) * _ANGLES).astype(np.int16) % _ANGLES
    return bins, np.hypot(span[:, None], span[None])


def _outlines():
    t = np.arange(_ANGLES) * (2 * np.pi / _ANGLES)
    shapes = [np.ones(_ANGLES)]
    for sides in (3, 4, 5):
        half = np.pi / sides
        shapes.append(np.cos(half) / np.cos(t % (2 * half) - half))
    shapes.append(1 / np.maximum(np.abs(np.cos(t)), 2.5 * np.abs(np.sin(t))))
    return np.array(shapes, np.float32)


_OUTLINES = _outlines()


def _main(path: str, seed: str, share: str):
    """Renders pictures `start:stop:step` into the mapped file, a dot for each."""
    pictures = np.load(path, mmap_mode="r+")
    for index in range(*map(int, share.split(":"))):
        pictures[index] = render(index, size=pictures.shape[1], seed=int(seed))
        print(index, flush=True)


if __name__ == "__main__":
    _main(*sys.argv[1:])
