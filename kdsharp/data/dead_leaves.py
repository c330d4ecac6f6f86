"""Dead-leaves pictures: procedural training pictures of occluding, textured shapes.

After Achddou, Gousseau, Ladjal, "Synthetic images as a regularity prior for image
restoration neural networks" (SSVM 2021). Sizes follow a power law, so that pictures
are scale-invariant like photographs; shapes are rendered at twice the size and averaged
down, as a sensor does.

As a script, it renders part of a file of pictures. It imports only NumPy and SciPy, so
that such processes start quickly.
"""

import functools
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.fft
import scipy.ndimage

VERSION = 3
"""Increase this with every change to the output of `render`."""

MIN_SIZE = 16
"""The smallest height and width that can be rendered."""

_OVERSAMPLING = 2
# Low-frequency fields are rendered this much smaller; canvas sides are multiples of it.
_COARSE = 8
# Radius in canvas pixels from which a leaf has an individual outline.
_SMALL = 8.0
_ANGLES = 1024

# Orthonormal rows: grey, red-blue, green-purple. In photographs these components are
# nearly uncorrelated, and nearly all detail is in the first.
_TO_RGB = np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]], np.float32) / np.sqrt(
    np.array([[3], [2], [6]], np.float32)
)
# Distributions of the mean colours of pictures, and of the colours within a picture,
# measured on photographs in these components.
_MEAN, _MEAN_SPREAD = (0.78, 0.04, -0.03), (0.2, 0.09, 0.04)
_SPREAD = np.array([0.28, 0.05, 0.02])

_Rng = np.random.Generator


def render(index: int, *, size: int, seed: int) -> np.ndarray:
    """Renders picture `index` of the series `seed`: uint8 `[size, size, 3]`."""
    rng = np.random.default_rng((VERSION, seed, index))
    side = -(-size * _OVERSAMPLING // _COARSE) * _COARSE
    canvas = _draw_leaves(rng, side)
    picture = _add_background(rng, canvas, _paint(rng, canvas))
    picture = _simulate_camera(rng, picture)[:size, :size]
    return np.round(np.clip(picture @ _TO_RGB, 0, 1) * 255).astype(np.uint8)


class _Canvas:
    """The visible leaf at each pixel, and the radius and centre of each leaf."""

    def __init__(self, side: int):
        self.side = side
        self.labels = np.zeros((side, side), np.int32)
        self._layers = [np.array([[side, side / 2, side / 2]])]

    @property
    def leaves(self) -> np.ndarray:
        return np.concatenate(self._layers)

    def add(self, leaves: np.ndarray) -> int:
        """Adds leaves `[radius, row, column]`; returns the label of the first."""
        first = sum(map(len, self._layers))
        self._layers.append(leaves)
        return first

    def draw(self, y: np.ndarray, x: np.ndarray, label: np.ndarray):
        """Draws labels at these pixels, where they are on the canvas."""
        seen = (y >= 0) & (y < self.side) & (x >= 0) & (x < self.side)
        self.labels.ravel()[(y * self.side + x)[seen]] = label[seen]


def _draw_leaves(rng: _Rng, side: int) -> _Canvas:
    """Draws leaves of all sizes, from the bottom layer to the top."""
    canvas = _Canvas(side)
    largest = side * rng.uniform(0.3, 0.8)
    smallest = _log_uniform(rng, 1.5, min(10, largest / 2))
    covered = rng.uniform(0.2, 1.2)
    _draw_large(rng, canvas, _sample_leaves(rng, side, side / 16, largest, 2.5))
    for _ in range(2):
        leaves = _sample_leaves(rng, side, smallest, largest, covered)
        # Small leaves accumulate in some regions and spare others.
        clean = _sample_at(_noise(rng, side // _COARSE, 1.5), leaves) < rng.normal(
            0, 0.5
        )
        leaves = leaves[~clean | (leaves[:, 0] > 4 * _SMALL)]
        small = leaves[:, 0] < _SMALL
        _draw_large(rng, canvas, leaves[~small])
        _draw_small(rng, canvas, leaves[small])
        for _ in range(rng.poisson(4)):
            _draw_curves(rng, canvas)
    return canvas


def _sample_leaves(
    rng: _Rng, side: int, smallest: float, largest: float, covered: float
) -> np.ndarray:
    """Samples leaves with p(r) ~ r**-3, whose areas sum to `covered` canvases."""
    low, high = smallest**-2, largest**-2
    # The mean of r**2 under this law; outlines fill about 80% of their circle.
    area = 0.8 * np.pi * 2 * np.log(largest / smallest) / (low - high)
    count = int(covered * side**2 / area) + 1
    radii = (low + rng.random(count) * (high - low)) ** -0.5
    return np.column_stack([radii, rng.integers(0, side, (count, 2))])


def _draw_large(rng: _Rng, canvas: _Canvas, leaves: np.ndarray):
    """Draws leaves by their outlines, given as a radius for every angle."""
    labels, side = canvas.labels, canvas.side
    first = canvas.add(leaves)
    angle, radius = _polar(side)
    outlines = _outlines()
    kinds = rng.integers(len(outlines), size=len(leaves))
    turns = rng.integers(_ANGLES, size=len(leaves))
    for i, (r, y, x) in enumerate(leaves.tolist()):
        y, x, reach = int(y), int(x), int(r * _MAX_RADIUS) + 1
        top, bottom = max(0, y - reach), min(side, y + reach)
        left, right = max(0, x - reach), min(side, x + reach)
        # The same window in the polar coordinates around this leaf's centre.
        around = (
            slice(top - y + side, bottom - y + side),
            slice(left - x + side, right - x + side),
        )
        outline = outlines[kinds[i], turns[i] : turns[i] + _ANGLES] * np.float32(r)
        inside = radius[around] < outline[angle[around]]
        np.copyto(labels[top:bottom, left:right], first + i, where=inside)


def _draw_small(rng: _Rng, canvas: _Canvas, leaves: np.ndarray):
    """Draws ellipses and rectangles, all leaves of similar size at once."""
    count = len(leaves)
    first = canvas.add(leaves)
    stretch = np.sqrt(_log_uniform(rng, 1, 4, count)).astype(np.float32)
    theta = rng.uniform(0, np.pi, count)
    cosine, sine = np.cos(theta, dtype=np.float32), np.sin(theta, dtype=np.float32)
    square = rng.random(count) < 0.3
    radii = leaves[:, 0].astype(np.float32)
    octave = np.floor(2 * np.log2(radii)).astype(int)
    for step in np.unique(octave):
        some = np.flatnonzero(octave == step)
        reach = int(np.ceil((radii * stretch)[some].max() * 1.42))
        dy, dx = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1)
        c, s, r, k = (v[some, None] for v in (cosine, sine, radii, stretch))
        u = np.abs(c / (r * k) * dx + s / (r * k) * dy)
        v = np.abs(c * k / r * dy - s * k / r * dx)
        inside = np.where(square[some, None], np.maximum(u, v), u * u + v * v) < 1
        which, where = np.nonzero(inside)
        y = leaves[some, 1].astype(np.int32)[which] + dy[where]
        x = leaves[some, 2].astype(np.int32)[which] + dx[where]
        canvas.draw(y, x, first + some[which])


def _draw_curves(rng: _Rng, canvas: _Canvas):
    """Draws a bundle of nearly parallel curves, like hair, grass, wires or bars."""
    side, count = canvas.side, rng.integers(1, 16)
    length = side * _log_uniform(rng, 0.05, 0.6)
    width = _log_uniform(rng, 0.8, 10)
    spacing = _log_uniform(rng, 2, 20) * max(width, 1.5)
    bearing = rng.uniform(0, 2 * np.pi)
    aside = spacing * np.array([np.cos(bearing), np.sin(bearing)])
    course = rng.uniform(0, side, 2) + rng.normal(0, length / 2, (3, 2))
    courses = course + np.arange(count)[:, None, None] * aside
    courses += rng.normal(0, rng.exponential(0.5) * spacing, courses.shape)
    # Quadratic Bezier curves, drawn as closely spaced discs.
    stops = int(2 * length / max(1, width / 2)) + 2
    t = np.linspace(0, 1, stops, dtype=np.float32)[:, None]
    weights = np.concatenate([(1 - t) ** 2, 2 * t * (1 - t), t**2], axis=1)
    paths = weights @ courses.astype(np.float32)
    middles = np.clip(paths.mean(1), 0, side - 1)
    first = canvas.add(np.column_stack([np.full(count, length), middles]))
    span = np.arange(-int(width) - 1, int(width) + 2)
    for i, path in enumerate(paths):
        cell = np.floor(path).astype(np.int32)
        offset = path - cell
        dy = (span - offset[:, :1])[:, :, None]
        dx = (span - offset[:, 1:])[:, None]
        step, down, right = np.nonzero(dy * dy + dx * dx < width * width)
        y, x = cell[step, 0] + span[down], cell[step, 1] + span[right]
        canvas.draw(y, x, np.broadcast_to(first + i, y.shape))


def _paint(rng: _Rng, canvas: _Canvas) -> np.ndarray:
    """Colours, textures and lights the leaves: the scene `[side, side, 3]`."""
    labels, side, leaves = canvas.labels, canvas.side, canvas.leaves
    count = len(leaves)
    radius, row, column = leaves.T.astype(np.float32)

    # A picture has few materials, and neighbouring leaves tend to share one.
    kinds = rng.integers(3, 9)
    mean = rng.normal(_MEAN, _MEAN_SPREAD)
    spread = np.exp(rng.normal(0, 0.35)) * _SPREAD
    palette = mean + rng.normal(size=(kinds, 3)) * spread
    region = _sample_at(_noise(rng, side // _COARSE, 1.5), leaves) + rng.normal(
        size=count
    )
    kind = np.floor(region * 0.75 + kinds / 2).astype(int) % kinds
    colour = palette[kind]
    colour += rng.normal(size=(count, 3)) * spread * rng.uniform(0.1, 0.6)

    light = 1 + _texture(rng, labels, kind) + _stripes(rng, labels, count)
    # Each leaf has a lighting gradient, and so has the whole picture.
    tilt = rng.normal(0, 0.12, (2, count)).astype(np.float32) / np.maximum(radius, 8)
    span = np.arange(side, dtype=np.float32)
    light += tilt[0][labels] * (span[:, None] - row[labels])
    light += tilt[1][labels] * (span - column[labels])
    uneven = 1 + rng.uniform(0, 0.25) * _noise(rng, side // _COARSE, 2.0)
    light *= _upsample(uneven, _COARSE)
    return colour.astype(np.float32)[labels] * np.maximum(light, 0.05)[..., None]


def _texture(rng: _Rng, labels: np.ndarray, kind: np.ndarray) -> np.ndarray:
    """Texture: one noise field per material, with a strength per leaf."""
    kinds = kind.max() + 1
    fields = np.stack(list(_fields(rng, len(labels), 4)))
    field = rng.integers(len(fields), size=kinds)[kind]
    strength = rng.exponential(0.17, kinds) * (rng.random(kinds) < 0.8)
    strength = (strength[kind] * rng.exponential(1, len(kind))).astype(np.float32)
    noise = np.take_along_axis(fields, field[labels][None], 0)[0]
    return strength[labels] * noise


def _fields(rng: _Rng, side: int, count: int) -> Iterator[np.ndarray]:
    """Yields power-law noise of unit variance, some anisotropic or hard-edged."""
    white = scipy.fft.rfft2(rng.standard_normal((side, side), np.float32))
    fy = np.fft.fftfreq(side).astype(np.float32)[:, None]
    fx = np.fft.rfftfreq(side).astype(np.float32)
    for _ in range(count):
        theta = rng.uniform(0, np.pi)
        longer = _log_uniform(rng, 1, 8) if rng.random() < 0.5 else 1
        u = fx * np.cos(theta) + fy * np.sin(theta)
        v = (fy * np.cos(theta) - fx * np.sin(theta)) * longer
        square = u * u + v * v
        square[0, 0] = np.inf
        exponent = np.float32(-rng.uniform(0.3, 1.5) / 2)
        field = np.asarray(scipy.fft.irfft2(white * square**exponent))
        # All fields share one white noise; shifted, they are uncorrelated.
        field = np.roll(field, rng.integers(side, size=2), (0, 1))
        if rng.random() < 0.4:
            field = np.tanh(field * np.float32(_log_uniform(rng, 1, 7) / field.std()))
        yield field / field.std()


def _stripes(rng: _Rng, labels: np.ndarray, count: int) -> np.ndarray:
    """Stripes on some leaves, from soft to hard-edged."""
    period = _log_uniform(rng, 4, 40, count)
    theta = rng.uniform(0, np.pi, count)
    hardness = _log_uniform(rng, 0.4, 7, count)
    depth = rng.exponential(0.15, count) / np.tanh(hardness)
    phase = rng.uniform(0, 2 * np.pi, count)
    down, right = 2 * np.pi / period * (np.sin(theta), np.cos(theta))
    striped = rng.random(count) < 0.15
    stripes = np.zeros_like(labels, np.float32)
    y, x = np.nonzero(striped[labels])
    down, right, phase, hardness, depth = np.array(
        [down, right, phase, hardness, depth], np.float32
    )[:, labels[y, x]]
    stripes[y, x] = depth * np.tanh(hardness * np.sin(down * y + right * x + phase))
    return stripes


def _add_background(rng: _Rng, canvas: _Canvas, scene: np.ndarray) -> np.ndarray:
    """Downscales the scene; half of the pictures get an out-of-focus background."""
    picture = _downsample(scene)
    if rng.random() < 0.5:
        return picture
    # Some leaves become holes that show the scene itself, rotated and blurred.
    region = _sample_at(_noise(rng, canvas.side // _COARSE, 1.5), canvas.leaves)
    solid = (region > rng.normal(-0.3, 0.6)).astype(np.float32)
    solid = solid[canvas.labels][..., None]
    sigma = _log_uniform(rng, 0.7, 8)
    behind = scipy.ndimage.gaussian_filter(picture[::-1, ::-1], (sigma, sigma, 0))
    return _downsample(scene * solid) + (1 - _downsample(solid)) * behind


def _simulate_camera(rng: _Rng, picture: np.ndarray) -> np.ndarray:
    """Simulates a camera: slight blur, chroma subsampling and grain."""
    if rng.random() < 0.9:
        sigma = rng.uniform(0.3, 0.85)
        picture = scipy.ndimage.gaussian_filter(picture, (sigma, sigma, 0))
    # Sensors and files store colour at half the resolution.
    colour = _upsample(_downsample(picture[..., 1:]), 2)
    grey = picture[..., :1]
    grain = rng.exponential(0.008)
    grey += np.float32(grain) * rng.standard_normal(grey.shape, np.float32)
    return np.concatenate([grey, colour], axis=-1)


def _noise(rng: _Rng, side: int, exponent: float) -> np.ndarray:
    """Noise of unit variance with amplitude proportional to frequency**-exponent."""
    white = np.asarray(scipy.fft.rfft2(rng.standard_normal((side, side), np.float32)))
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side))
    frequency[0, 0] = np.inf
    weights = (frequency**-exponent).astype(np.float32)
    noise = np.asarray(scipy.fft.irfft2(white * weights, s=(side, side)))
    return noise / noise.std()


def _sample_at(coarse: np.ndarray, leaves: np.ndarray) -> np.ndarray:
    """Samples a coarse field at the centres of the leaves."""
    y, x = (leaves[:, 1:] // _COARSE).astype(int).T
    return coarse[y, x]


def _downsample(pixels: np.ndarray) -> np.ndarray:
    """2x2 average pooling."""
    pixels = pixels[::2] + pixels[1::2]
    return (pixels[:, ::2] + pixels[:, 1::2]) * np.float32(0.25)


def _upsample(pixels: np.ndarray, factor: int) -> np.ndarray:
    """Bilinear upsampling by a factor."""
    for axis in (0, 1):
        last = pixels.shape[axis] - 1
        place = (np.arange((last + 1) * factor) + 0.5) / factor - 0.5
        place = np.clip(place, 0, last)
        before = np.minimum(place.astype(int), last - 1)
        shape = [1] * pixels.ndim
        shape[axis] = -1
        weight = (place - before).astype(np.float32).reshape(shape)
        left, right = pixels.take(before, axis), pixels.take(before + 1, axis)
        pixels = left + weight * (right - left)
    return pixels


def _log_uniform(rng: _Rng, low: float, high: float, size: int | None = None) -> Any:
    return np.exp(rng.uniform(np.log(low), np.log(high), size))


@functools.cache
def _polar(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Polar coordinates (angle steps, pixels) around the centre of 2x2 canvases."""
    span = np.arange(-side, side, dtype=np.float32)
    turn = np.arctan2(span[:, None], span) / (2 * np.pi) + 0.5
    angle = np.floor(turn * _ANGLES).astype(np.int16) % _ANGLES
    return angle, np.hypot(span[:, None], span)


_MAX_RADIUS = 1.55


@functools.cache
def _outlines() -> np.ndarray:
    """Outlines of discs, ellipses, boxes, polygons and blobs: a radius per angle.

    Angles run over two turns. Each shape has about the area of a unit disc.
    """
    rng = np.random.default_rng(0)
    angle = np.arange(_ANGLES) * (2 * np.pi / _ANGLES)
    cosine, sine = np.abs(np.cos(angle)), np.abs(np.sin(angle))
    outlines = [np.ones(_ANGLES)] * 4
    for stretch in (1.2, 1.4, 2.0):
        u, v = cosine / stretch, sine * stretch
        outlines += [1 / np.hypot(u, v), 0.88 / np.maximum(u, v)]
    for corners in (3, 4, 5):
        half = np.pi / corners
        outlines.append(1.15 * np.cos(half) / np.cos(angle % (2 * half) - half))
    for corners in rng.integers(4, 10, size=16):
        at = np.sort(rng.uniform(0, 2 * np.pi, corners))
        away = rng.uniform(0.6, 1.4, corners)
        outlines.append(np.interp(angle, at, away, period=2 * np.pi))
    waves = np.arange(2, 9)[:, None]
    for _ in range(8):
        wave = np.cos(waves * angle + rng.uniform(0, 2 * np.pi, waves.shape))
        outlines.append(1 + (rng.normal(0, 0.3, waves.shape) / waves * wave).sum(0))
    return np.tile(np.minimum(outlines, _MAX_RADIUS), 2).astype(np.float32)


def _main(path: str, seed: str, share: str):
    """Renders pictures `start:stop:step` into a .npy file; prints each index."""
    pictures = np.load(path, mmap_mode="r+")
    for index in range(*map(int, share.split(":"))):
        pictures[index] = render(index, size=pictures.shape[1], seed=int(seed))
        print(index, flush=True)


if __name__ == "__main__":
    _main(*sys.argv[1:])
