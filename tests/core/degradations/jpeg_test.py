"""JPEG against Pillow (libjpeg)."""

import functools
import io

import jax
import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image

from kdsharp.core.degradations import jpeg
from tests.core.degradations.photographs import as_planes, crops

_QUALITIES = np.array([10, 25, 50, 75, 90, 95])


def _file(picture: np.ndarray, quality: int, subsampling: str = "4:2:0"):
    buffer = io.BytesIO()
    Image.fromarray(picture.squeeze()).save(
        buffer, "JPEG", quality=int(quality), subsampling=subsampling
    )
    return Image.open(buffer)


def _mean_difference(got, pictures, subsampling="4:2:0") -> np.ndarray:
    """Mean absolute difference of each picture in grey levels."""
    differences = []
    for planes, picture, quality in zip(got, pictures, _QUALITIES, strict=True):
        wanted = np.asarray(_file(picture, quality, subsampling), float)
        ours = np.asarray(planes).transpose(1, 2, 0) * 255
        differences.append(np.abs(ours - wanted.reshape(picture.shape)).mean())
    return np.array(differences)


class JpegTest(parameterized.TestCase):
    @parameterized.product(subsample=(True, False), size=((64, 96), (61, 83)))
    def test_photograph_equals_pillow(self, subsample, size):
        pictures = crops(len(_QUALITIES), *size)
        run = jax.jit(functools.partial(jpeg.jpeg, subsample=subsample))
        got = run(as_planes(pictures), _QUALITIES)
        chroma = "4:2:0" if subsample else "4:4:4"
        self.assertLess(_mean_difference(got, pictures, chroma).max(), 0.1)

    def test_grey_picture_equals_pillow(self):
        pictures = crops(len(_QUALITIES), channels=1)
        got = jax.jit(jpeg.jpeg)(as_planes(pictures), _QUALITIES)
        self.assertLess(_mean_difference(got, pictures).max(), 0.1)

    def test_pictures_of_different_sizes_are_coded_as_if_alone(self):
        pictures = crops(len(_QUALITIES), 70, 90)
        sizes = np.array([[70, 90], [64, 33], [23, 80], [48, 48], [41, 57], [32, 41]])
        run = jax.jit(lambda p, q, s: jpeg.jpeg(p, q, sizes=s))
        got = np.asarray(run(as_planes(pictures), _QUALITIES, sizes))
        parts = [p[:h, :w] for p, (h, w) in zip(pictures, sizes, strict=True)]
        got = [p[:, :h, :w] for p, (h, w) in zip(got, sizes, strict=True)]
        self.assertLess(_mean_difference(got, parts).max(), 0.1)

    def test_quantisation_tables_equal_pillow(self):
        qualities = np.arange(1, 101)
        luma, chroma = jpeg.tables(qualities)
        for i, quality in enumerate(qualities):
            wanted = _file(crops(1, 8, 8)[0], quality).quantization
            np.testing.assert_array_equal(luma[i], wanted[0])
            np.testing.assert_array_equal(chroma[i], wanted[1])


if __name__ == "__main__":
    absltest.main()
