"""Tiles join to the same result as the whole picture."""

import dataclasses

import jax
import numpy as np
import pytest
from absl.testing import absltest, parameterized

from kdsharp import models
from kdsharp.runtime import backends, tiling
from kdsharp.weights import store
from tests.models import fast
from tests.models.receptive_field_test import NETWORKS


class SplitTest(parameterized.TestCase):
    @parameterized.product(
        size=((1, 1), (5, 200), (63, 64), (65, 130), (257, 99)),
        reach=((0, 1), (7, 2), (11, 4), (16, 8)),
    )
    def test_tiles_cover_every_pixel_with_its_receptive_field(self, size, reach):
        radius, multiple = reach
        kept = np.zeros(size, int)
        tiles = tiling.split(*size, side=64, radius=radius, multiple=multiple)
        for tile in tiles:
            kept[tile.keep] += 1
            for axis in (0, 1):
                read, keep = tile.read[axis], tile.keep[axis]
                self.assertEqual(read.start % multiple, 0)
                self.assertEqual(tile.shape[axis] % multiple, 0)
                self.assertLessEqual(read.start, max(keep.start - radius, 0))
                self.assertGreaterEqual(read.stop, min(keep.stop + radius, size[axis]))
                # Padded only beyond the border of the picture.
                if read.stop < size[axis]:
                    self.assertEqual(read.stop - read.start, tile.shape[axis])
        np.testing.assert_array_equal(kept, 1)

    def test_tiles_of_a_large_picture_have_the_same_shape(self):
        tiles = tiling.split(1001, 777, side=96, radius=9, multiple=2)
        self.assertEqual({tile.shape for tile in tiles}, {(96, 96)})


class JoinTest(parameterized.TestCase):
    @parameterized.parameters(*NETWORKS)
    @pytest.mark.slow
    def test_tiles_match_the_whole_picture(self, name, arguments):
        model = models.create(name, **arguments)
        blurred = np.random.default_rng(0).random((101, 33, 3), np.float32)
        variables = fast.jit(model.init)(jax.random.key(0), blurred[None, :32, :32])
        # The last layer is initialised with zeros.
        variables = jax.tree.map(
            lambda x: x + 0.1 * np.random.default_rng(1).standard_normal(x.shape, "f4"),
            variables,
        )
        whole = blurred + fast.jit(model.apply)(variables, blurred[None])[0]
        card = {"model": {"name": name, **arguments}}
        network = backends.create(store.Weights(dict(variables), card), backend="jax")
        network = dataclasses.replace(network, side=4)

        def restore(pixels, tile):
            return network(tiling.pad_to(pixels, tile.shape)[None])[0]

        tiles = tiling.split(
            101, 33, side=4, radius=network.radius, multiple=network.multiple
        )
        joined = tiling.restore(blurred, tiles, restore)
        self.assertGreater(len(tiles), 1)
        np.testing.assert_allclose(joined, whole, atol=2e-5)
        self.assertGreater(np.abs(whole - blurred).max(), 1e-2)


if __name__ == "__main__":
    absltest.main()
