"""Generated JPEGs for the loading benchmarks."""

import os
import pathlib
from collections.abc import Sequence

import numpy as np
from PIL import Image

from kdsharp.data import sources

SIZE = (321, 481)


def write(
    paths: Sequence[pathlib.Path],
    sizes: Sequence[tuple[int, int]] = (SIZE,),
    *,
    different: int = 400,
) -> None:
    """Writes JPEGs, each a mosaic of four generated pictures.

    Only the first `different` are encoded; the other paths are hard links to them,
    which cost as much to decode and less to write. `sizes` (height, width) are used in
    turn.
    """
    source = sources.create("embedded", "train")
    rng = np.random.default_rng(0)
    for i, path in enumerate(paths[:different]):
        height, width = sizes[i % len(sizes)]
        a, b, c, d = (source[k]["sharp"] for k in rng.integers(len(source), size=4))
        pixels = np.block([[[a], [b]], [[c], [d]]])[:height, :width]
        Image.fromarray(pixels).save(path, quality=90)
    for i, path in enumerate(paths[different:]):
        os.link(paths[i % different], path)
