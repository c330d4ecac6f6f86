"""A gallery of the crops in which networks differ most."""

import heapq
import itertools
from collections.abc import Mapping, Sequence

import jax
import numpy as np
from PIL import Image

from kdsharp.evaluation import samples
from kdsharp.evaluation.quality.restorers import INPUT, UNSHARP

_SIZE = 96
_SCALE = 2
_CROPS = 8


class Gallery:
    """Collects the crops in which the networks differ most.

    A single network is compared with its input.
    """

    def __init__(self, networks: Sequence[str]):
        names = [*networks] if len(networks) > 1 else [INPUT, *(networks or [UNSHARP])]
        self._compared = list(itertools.combinations(names, 2))
        self._kept: list[tuple[float, int, str, dict[str, np.ndarray]]] = []
        self._offered = 0

    def offer(
        self, name: str, outputs: Mapping[str, jax.Array], sharp: jax.Array
    ) -> None:
        """Keeps the most different crop of a picture if it is among the best so far."""
        pictures = {row: np.clip(np.asarray(x[0]), 0, 1) for row, x in outputs.items()}
        pictures["sharp"] = np.asarray(sharp[0])
        difference = np.max(
            [np.abs(pictures[a] - pictures[b]).mean(-1) for a, b in self._compared],
            axis=0,
        )
        crop = samples.fullest_crop(difference, _SIZE)
        worth = float(difference[crop].mean())
        place = f"{name}  {crop[1].start},{crop[0].start}"
        self._offered += 1
        entry = (
            worth,
            -self._offered,
            place,
            {row: picture[crop].copy() for row, picture in pictures.items()},
        )
        heapq.heappush(self._kept, entry)
        if len(self._kept) > _CROPS:
            heapq.heappop(self._kept)

    def sheet(self) -> Image.Image:
        """Draws one row per crop, with the PSNR of each; the most different first."""
        rows, notes = [], []
        for _, _, place, crops in sorted(self._kept, reverse=True):
            rows.append({row: _enlarge(crop) for row, crop in crops.items()})
            notes.append(
                {row: _psnr(crop, crops["sharp"]) for row, crop in crops.items()}
            )
            notes[-1]["sharp"] = place
        return samples.grid(rows, notes)


def _enlarge(crop: np.ndarray) -> np.ndarray:
    return crop.repeat(_SCALE, 0).repeat(_SCALE, 1)


def _psnr(crop: np.ndarray, sharp: np.ndarray) -> str:
    error = np.mean(np.square(crop - sharp))
    return f"{-10 * np.log10(error):.2f} dB" if error else "equal"
