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
from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.fft
import scipy.ndimage

VERSION = 3
"""To be raised with every change of what `render` returns."""

MIN_SIZE = 16
"""The smallest height and width that hold a picture."""

_OVERSAMPLING = 2
# Slow variations are drawn this much smaller; the canvas is a multiple of it.
_COARSE = 8
# Canvas pixels from which a leaf gets an outline of its own; smaller ones are stamped.
_SMALL = 8.0
_ANGLES = 1024

# Orthonormal rows: grey, red against blue, green against purple. In photographs these
# are nearly uncorrelated, and nearly all detail is in the first.
_TO_RGB = np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]], np.float32) / np.sqrt(
    np.array([[3], [2], [6]], np.float32)
)
# Of pictures' mean colours, and of the colours within a picture: measured on
# photographs, in the coordinates above.
_MEAN, _MEAN_SPREAD = (0.78, 0.04, -0.03), (0.2, 0.09, 0.04)
_SPREAD = np.array([0.28, 0.05, 0.02])

_Rng = np.random.Generator


def render(index: int, *, size: int, seed: int) -> np.ndarray:
    """Picture number `index` of the endless series `seed`: uint8 `[size, size, 3]`."""
    rng = np.random.default_rng((VERSION, seed, index))
    side = -(-size * _OVERSAMPLING // _COARSE) * _COARSE
    canvas = _arrange(rng, side)
    picture = _look(rng, canvas, _paint(rng, canvas))
    picture = _record(rng, picture)[:size, :size]
    return np.round(np.clip(picture @ _TO_RGB, 0, 1) * 255).astype(np.uint8)


class _Canvas:
    """Which leaf each pixel shows, and every leaf's radius, row and column."""

    def __init__(self, side: int):
        self.side = side
        self.labels = np.zeros((side, side), np.int32)
        self._layers = [np.array([[side, side / 2, side / 2]])]

    @property
    def leaves(self) -> np.ndarray:
        return np.concatenate(self._layers)

    def add(self, leaves: np.ndarray) -> int:
        """The label of the first of these leaves."""
        first = sum(map(len, self._layers))
        self._layers.append(leaves)
        return first

    def cover(self, y: np.ndarray, x: np.ndarray, label: np.ndarray):
        """Puts the labels at these pixels, as far as they lie on the canvas."""
        seen = (y >= 0) & (y < self.side) & (x >= 0) & (x < self.side)
        self.labels.ravel()[(y * self.side + x)[seen]] = label[seen]


def _arrange(rng: _Rng, side: int) -> _Canvas:
    """Leaves of all sizes, from the ground up."""
    canvas = _Canvas(side)
    largest = side * rng.uniform(0.3, 0.8)
    smallest = _log_uniform(rng, 1.5, min(10, largest / 2))
    covered = rng.uniform(0.2, 1.2)
    _lay_large(rng, canvas, _scatter(rng, side, side / 16, largest, 2.5))
    for _ in range(2):
        leaves = _scatter(rng, side, smallest, largest, covered)
        # Litter gathers in some regions and leaves others clean.
        clean = _at(_noise(rng, side // _COARSE, 1.5), leaves) < rng.normal(0, 0.5)
        leaves = leaves[~clean | (leaves[:, 0] > 4 * _SMALL)]
        small = leaves[:, 0] < _SMALL
        _lay_large(rng, canvas, leaves[~small])
        _lay_small(rng, canvas, leaves[small])
        for _ in range(rng.poisson(4)):
            _lay_curves(rng, canvas)
    return canvas


def _scatter(
    rng: _Rng, side: int, smallest: float, largest: float, covered: float
) -> np.ndarray:
    """Leaves anywhere, radii after r**-3, whose areas add up to `covered` canvases."""
    low, high = smallest**-2, largest**-2
    # The mean of r**2 under that law; outlines fill about four fifths of their circle.
    area = 0.8 * np.pi * 2 * np.log(largest / smallest) / (low - high)
    count = int(covered * side**2 / area) + 1
    radii = (low + rng.random(count) * (high - low)) ** -0.5
    return np.column_stack([radii, rng.integers(0, side, (count, 2))])


def _lay_large(rng: _Rng, canvas: _Canvas, leaves: np.ndarray):
    """Covers what lies within each leaf's outline, a radius for every angle."""
    labels, side = canvas.labels, canvas.side
    first = canvas.add(leaves)
    angle, radius = _polar(side)
    outlines = _outlines()
    kinds = rng.integers(len(outlines), size=len(leaves))
    turns = rng.integers(_ANGLES, size=len(leaves))
    for i, (r, y, x) in enumerate(leaves.tolist()):
        y, x, reach = int(y), int(x), int(r * _FARTHEST) + 1
        top, bottom = max(0, y - reach), min(side, y + reach)
        left, right = max(0, x - reach), min(side, x + reach)
        # The same window of the polar coordinates around this leaf's centre.
        around = (
            slice(top - y + side, bottom - y + side),
            slice(left - x + side, right - x + side),
        )
        outline = outlines[kinds[i], turns[i] : turns[i] + _ANGLES] * np.float32(r)
        inside = radius[around] < outline[angle[around]]
        np.copyto(labels[top:bottom, left:right], first + i, where=inside)


def _lay_small(rng: _Rng, canvas: _Canvas, leaves: np.ndarray):
    """Covers ellipses and rectangles, all leaves of about one size at a time."""
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
        canvas.cover(y, x, first + some[which])


def _lay_curves(rng: _Rng, canvas: _Canvas):
    """Covers curves that run nearly side by side: hair, grass, wires, bars."""
    side, count = canvas.side, rng.integers(1, 16)
    length = side * _log_uniform(rng, 0.05, 0.6)
    width = _log_uniform(rng, 0.8, 10)
    apart = _log_uniform(rng, 2, 20) * max(width, 1.5)
    bearing = rng.uniform(0, 2 * np.pi)
    aside = apart * np.array([np.cos(bearing), np.sin(bearing)])
    course = rng.uniform(0, side, 2) + rng.normal(0, length / 2, (3, 2))
    courses = course + np.arange(count)[:, None, None] * aside
    courses += rng.normal(0, rng.exponential(0.5) * apart, courses.shape)
    # Quadratic Bezier curves, drawn with a round pen put down close enough.
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
        canvas.cover(y, x, np.broadcast_to(first + i, y.shape))


def _paint(rng: _Rng, canvas: _Canvas) -> np.ndarray:
    """The scene `[side, side, 3]`: each leaf coloured, textured and lit."""
    labels, side, leaves = canvas.labels, canvas.side, canvas.leaves
    count = len(leaves)
    radius, row, column = leaves.T.astype(np.float32)

    # A picture has few materials, and neighbours tend to be of the same.
    kinds = rng.integers(3, 9)
    mean = rng.normal(_MEAN, _MEAN_SPREAD)
    spread = np.exp(rng.normal(0, 0.35)) * _SPREAD
    palette = mean + rng.normal(size=(kinds, 3)) * spread
    region = _at(_noise(rng, side // _COARSE, 1.5), leaves) + rng.normal(size=count)
    kind = np.floor(region * 0.75 + kinds / 2).astype(int) % kinds
    colour = palette[kind]
    colour += rng.normal(size=(count, 3)) * spread * rng.uniform(0.1, 0.6)

    light = 1 + _texture(rng, labels, kind) + _stripes(rng, labels, count)
    # Each leaf is tilted to the light, which falls unevenly on the whole.
    tilt = rng.normal(0, 0.12, (2, count)).astype(np.float32) / np.maximum(radius, 8)
    span = np.arange(side, dtype=np.float32)
    light += tilt[0][labels] * (span[:, None] - row[labels])
    light += tilt[1][labels] * (span - column[labels])
    uneven = 1 + rng.uniform(0, 0.25) * _noise(rng, side // _COARSE, 2.0)
    light *= _enlarge(uneven, _COARSE)
    return colour.astype(np.float32)[labels] * np.maximum(light, 0.05)[..., None]


def _texture(rng: _Rng, labels: np.ndarray, kind: np.ndarray) -> np.ndarray:
    """Noise of a few kinds, one for each material, stronger on some leaves."""
    kinds = kind.max() + 1
    fields = np.stack(list(_fields(rng, len(labels), 4)))
    field = rng.integers(len(fields), size=kinds)[kind]
    strength = rng.exponential(0.17, kinds) * (rng.random(kinds) < 0.8)
    strength = (strength[kind] * rng.exponential(1, len(kind))).astype(np.float32)
    noise = np.take_along_axis(fields, field[labels][None], 0)[0]
    return strength[labels] * noise


def _fields(rng: _Rng, side: int, count: int) -> Iterator[np.ndarray]:
    """Power-law noises of unit deviation, some drawn out, some with hard edges."""
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
        # One white noise serves all fields: shifted, they have nothing in common.
        field = np.roll(field, rng.integers(side, size=2), (0, 1))
        if rng.random() < 0.4:
            field = np.tanh(field * np.float32(_log_uniform(rng, 1, 7) / field.std()))
        yield field / field.std()


def _stripes(rng: _Rng, labels: np.ndarray, count: int) -> np.ndarray:
    """Waves on some leaves, from soft folds to hard-edged bars."""
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


def _look(rng: _Rng, canvas: _Canvas, scene: np.ndarray) -> np.ndarray:
    """The scene at the size of the picture, perhaps with a background out of focus."""
    picture = _reduce(scene)
    if rng.random() < 0.5:
        return picture
    # Some leaves are holes; behind them lies the scene itself, turned and blurred.
    region = _at(_noise(rng, canvas.side // _COARSE, 1.5), canvas.leaves)
    solid = (region > rng.normal(-0.3, 0.6)).astype(np.float32)
    solid = solid[canvas.labels][..., None]
    sigma = _log_uniform(rng, 0.7, 8)
    behind = scipy.ndimage.gaussian_filter(picture[::-1, ::-1], (sigma, sigma, 0))
    return _reduce(scene * solid) + (1 - _reduce(solid)) * behind


def _record(rng: _Rng, picture: np.ndarray) -> np.ndarray:
    """The picture as a camera keeps it: a little soft, coarser in colour, grainy."""
    if rng.random() < 0.9:
        sigma = rng.uniform(0.3, 0.85)
        picture = scipy.ndimage.gaussian_filter(picture, (sigma, sigma, 0))
    # Colour is sampled at half the resolution, by sensors and in files.
    colour = _enlarge(_reduce(picture[..., 1:]), 2)
    grey = picture[..., :1]
    grain = rng.exponential(0.008)
    grey += np.float32(grain) * rng.standard_normal(grey.shape, np.float32)
    return np.concatenate([grey, colour], axis=-1)


def _noise(rng: _Rng, side: int, exponent: float) -> np.ndarray:
    """Noise of unit deviation whose amplitude falls as frequency to the exponent."""
    white = np.asarray(scipy.fft.rfft2(rng.standard_normal((side, side), np.float32)))
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side))
    frequency[0, 0] = np.inf
    weights = (frequency**-exponent).astype(np.float32)
    noise = np.asarray(scipy.fft.irfft2(white * weights, s=(side, side)))
    return noise / noise.std()


def _at(coarse: np.ndarray, leaves: np.ndarray) -> np.ndarray:
    """Values of a coarse field at the middles of the leaves."""
    y, x = (leaves[:, 1:] // _COARSE).astype(int).T
    return coarse[y, x]


def _reduce(pixels: np.ndarray) -> np.ndarray:
    """Means of squares of two by two, for any number of channels."""
    pixels = pixels[::2] + pixels[1::2]
    return (pixels[:, ::2] + pixels[:, 1::2]) * np.float32(0.25)


def _enlarge(pixels: np.ndarray, factor: int) -> np.ndarray:
    """Bilinear interpolation of rows and columns."""
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
    """Angle (in steps) and radius around the middle of two canvases squared."""
    span = np.arange(-side, side, dtype=np.float32)
    turn = np.arctan2(span[:, None], span) / (2 * np.pi) + 0.5
    angle = np.floor(turn * _ANGLES).astype(np.int16) % _ANGLES
    return angle, np.hypot(span[:, None], span)


_FARTHEST = 1.55


@functools.cache
def _outlines() -> np.ndarray:
    """Radius at each angle of discs, ellipses, boxes, polygons and blobs, twice round.

    Each has about the area of a disc of radius 1.
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
    return np.tile(np.minimum(outlines, _FARTHEST), 2).astype(np.float32)


def _main(path: str, seed: str, share: str):
    """Renders pictures `start:stop:step` into the mapped file, a line for each."""
    pictures = np.load(path, mmap_mode="r+")
    for index in range(*map(int, share.split(":"))):
        pictures[index] = render(index, size=pictures.shape[1], seed=int(seed))
        print(index, flush=True)


if __name__ == "__main__":
    _main(*sys.argv[1:])
