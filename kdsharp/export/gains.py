"""The gains of a network with a context, computed in NumPy, without JAX."""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Bool, Float, Shaped

STRIDE = 8

# Rows of windows whose luma is computed at once.
_ROWS = 4

# Windows per matrix product. With more, BLAS would start its own threads, which compete
# for cores with those of the waiting network.
_WINDOWS_PER_PRODUCT = 192


def gains(
    params: dict,
    picture: Shaped[np.ndarray, "h w *c"],
    *,
    luma: Callable[[np.ndarray], np.ndarray] = lambda rows: rows,
    visible: Bool[np.ndarray, "h w"] | None = None,
    every: int = 1,
) -> Float[np.ndarray, "filters"]:
    """Computes what `models.real_time.Context` computes with the same parameters.

    `luma` converts rows of the picture to float luma in [0, 1]. Only windows that are
    entirely `visible` count, and only one row of windows in `every`.
    """
    look = np.asarray(params["look"], np.float32)
    size, filters = look.shape[0], look.shape[-1]
    kernel = np.ascontiguousarray(look.reshape(-1, filters).T)
    picture = _pad_edge(picture, size)
    if visible is not None and visible.all():
        # Without a selection of windows, sums round as for a picture without alpha.
        visible = None
    if visible is not None:
        visible = _pad_edge(visible, size)
    tops = range(0, len(picture) - size + 1, STRIDE * every)
    sums, count = np.zeros((2, filters)), 0
    for first in range(0, len(tops), _ROWS):
        band = slice(tops[first], tops[first : first + _ROWS][-1] + size)
        windows = _windows(luma(picture[band]), size, every)
        if visible is not None:
            windows = windows[:, _windows(visible[band], size, every).all(axis=0)]
        for begin in range(0, windows.shape[1], _WINDOWS_PER_PRODUCT):
            seen = np.abs(kernel @ windows[:, begin : begin + _WINDOWS_PER_PRODUCT])
            sums[0] += seen.sum(axis=1)
            seen *= seen
            sums[1] += np.einsum("fn,fn->f", seen, seen)
            count += seen.shape[1]
    if not count:
        # No window is entirely visible.
        return gains(params, picture, luma=luma, every=every)
    mean, square = (sums / count).astype(np.float32)
    return _of_moments(params, mean, square)


def of_batch(
    params: dict, pictures: Float[np.ndarray, "b h w c"], weights: np.ndarray
) -> Float[np.ndarray, "b filters"]:
    """Computes the gains of each picture: luma, or RGB converted with `weights`."""
    return np.stack(
        [gains(params, x, luma=lambda rows: as_luma(rows, weights)) for x in pictures]
    )


def as_luma(
    rows: Shaped[np.ndarray, "h w c"], weights: Sequence[float] | np.ndarray
) -> Float[np.ndarray, "h w"]:
    """Converts RGB rows to luma with `weights`; luma is returned as it is."""
    if rows.shape[-1] == 1:
        return rows[..., 0]
    red, green, blue = (rows[..., n] * np.float32(weights[n]) for n in range(3))
    return red + green + blue


def _of_moments(params: dict, means: np.ndarray, fourths: np.ndarray) -> np.ndarray:
    peaks = np.sqrt(np.sqrt(fourths + np.float32(1e-14)))
    features = np.log(np.concatenate([means + np.float32(3e-4), peaks]))
    x = _dense(features + 3, params["hidden"])
    x = _dense(np.where(x >= 0, x, np.float32(0.1) * x), params["gains"])
    return (2 / (1 + np.exp(-x))).astype(np.float32)


def _dense(x: np.ndarray, params: dict) -> np.ndarray:
    return x @ np.asarray(params["kernel"]) + np.asarray(params["bias"])


def _windows(x: np.ndarray, size: int, every: int) -> np.ndarray:
    """The windows that the filters see, as columns of `[size * size, windows]`."""
    found = np.lib.stride_tricks.sliding_window_view(x, (size, size))
    found = found[:: STRIDE * every, ::STRIDE].transpose(2, 3, 0, 1)
    return found.reshape(size * size, -1)


def _pad_edge(x: np.ndarray, size: int) -> np.ndarray:
    """Repeats the border of pictures smaller than `size`."""
    below, right = (max(0, size - side) for side in x.shape[:2])
    if not below and not right:
        return x
    return np.pad(x, [(0, below), (0, right), *[(0, 0)] * (x.ndim - 2)], mode="edge")
