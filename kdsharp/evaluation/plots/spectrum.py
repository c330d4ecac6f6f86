"""Spectra of errors: how much coarse and fine detail contribute.

Frequencies are radial, in cycles per pixel, up to 0.5; higher ones, which only
diagonals have, are left out.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Float

from kdsharp.evaluation.quality import cases
from kdsharp.evaluation.quality.restorers import INPUT, PictureRestorer

BANDS = 20
_FINEST = 0.5


def frequencies(bands: int = BANDS) -> Float[np.ndarray, " bands"]:
    """The centre frequency of each band."""
    return (np.arange(bands) + 0.5) * _FINEST / bands


def power(
    picture: Float[np.ndarray, "h w c"], bands: int = BANDS
) -> Float[np.ndarray, " bands"]:
    """Mean power in each band, without frequency zero; nan for empty bands."""
    height, width = picture.shape[:2]
    # A window, since jumps between opposite borders would count as detail.
    window = np.hanning(height)[:, None, None] * np.hanning(width)[None, :, None]
    mean = (window * picture).sum((0, 1)) / window.sum((0, 1))
    faded = window * (picture - mean)
    squares = np.square(np.abs(np.fft.fft2(faded, axes=(0, 1)))).mean(-1)
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width))
    band = np.floor(radius * bands / _FINEST).astype(int)
    inside = (band < bands) & (radius > 0)
    total, count = (
        np.bincount(band[inside], weights, minlength=bands)
        for weights in (squares[inside], None)
    )
    return np.divide(total, count, where=count > 0, out=np.full(bands, np.nan))


def relative_error(
    pairs: Iterable[tuple[np.ndarray, np.ndarray]], bands: int = BANDS
) -> Float[np.ndarray, " bands"]:
    """Power of the errors relative to that of the sharp pictures, by band.

    Pairs are a restored and a sharp picture. 0 is perfect; 1 is a band that is lost
    completely.
    """
    error, whole = np.zeros(bands), np.zeros(bands)
    for restored, sharp in pairs:
        error += power(np.clip(restored, 0, 1) - sharp, bands)
        whole += power(sharp, bands)
    return error / whole


def relative_errors(
    pictures: cases.Cases, restorers: Sequence[PictureRestorer], bands: int = BANDS
) -> dict[str, Float[np.ndarray, " bands"]]:
    """Computes the relative errors of the input and of each restorer, by name."""
    outputs: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    for case in pictures.usable:
        pair = case.load()
        restored = {INPUT: pair.blurred}
        restored |= {r.name: r.restore(pair.blurred) for r in restorers}
        for name, picture in restored.items():
            found = np.asarray(picture[0]), np.asarray(pair.sharp[0])
            outputs.setdefault(name, []).append(found)
    return {name: relative_error(found, bands) for name, found in outputs.items()}
