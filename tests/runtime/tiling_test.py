"""Pictures cut into tiles: joined, they are as if nobody had cut."""

import dataclasses

import jax
import numpy as np
from absl.testing import absltest, parameterized

from kdsharp import models
from kdsharp.runtime import backends, tiling
from kdsharp.weights import store
from tests.models import fast
from tests.models.receptive_field_test import NETWORKS


class CutTest(parameterized.TestCase):
    @parameterized.product(
        size=((1, 1), (5, 200), (63, 64), (65, 130), (257, 99)),
        reach=((0, 1), (7, 2), (11, 4), (16, 8)),
    )
    def test_every_pixel_is_kept_once_and_sees_all_it_depends_on(self, size, reach):
        radius, multiple = reach
        kept = np.zeros(size, int)
        tiles = tiling.cut(*size, side=64, radius=radius, multiple=multiple)
        for tile in tiles:
            kept[tile.keep] += 1
            for axis in (0, 1):
                read, keep = tile.read[axis], tile.keep[axis]
                self.assertEqual(read.start % multiple, 0)
                self.assertEqual(tile.shape[axis] % multiple, 0)
                self.assertLessEqual(read.start, max(keep.start - radius, 0))
                self.assertGreaterEqual(read.stop, min(keep.stop + radius, size[axis]))
                # Filled up beyond the picture's own border only.
                if read.stop < size[axis]:
                    self.assertEqual(read.stop - read.start, tile.shape[axis])
        np.testing.assert_array_equal(kept, 1)

    def test_tiles_of_a_large_picture_have_one_shape(self):
        tiles = tiling.cut(1001, 777, side=96, radius=9, multiple=2)
        self.assertEqual({tile.shape for tile in tiles}, {(96, 96)})


class JoinTest(parameterized.TestCase):
    @parameterized.parameters(*NETWORKS)
    def test_tiles_give_what_the_whole_gives(self, name, arguments):
        model = models.create(name, **arguments)
        blurred = np.random.default_rng(0).random((101, 33, 3), np.float32)
        variables = fast.jit(model.init)(jax.random.key(0), blurred[None, :32, :32])
        # Last layers begin at zero.
        variables = jax.tree.map(
            lambda x: x + 0.1 * np.random.default_rng(1).standard_normal(x.shape, "f4"),
            variables,
        )
        whole = blurred + fast.jit(model.apply)(variables, blurred[None])[0]
        card = {"model": {"name": name, **arguments}}
        network = backends.create(store.Weights(dict(variables), card), backend="jax")
        network = dataclasses.replace(network, side=4)

        def restore(pixels, tile):
            return network(tiling.fill(pixels, tile.shape)[None])[0]

        tiles = tiling.cut(
            101, 33, side=4, radius=network.radius, multiple=network.multiple
        )
        joined = tiling.restore(blurred, tiles, restore)
        self.assertGreater(len(tiles), 1)
        np.testing.assert_allclose(joined, whole, atol=2e-5)
        self.assertGreater(np.abs(whole - blurred).max(), 1e-2)


if __name__ == "__main__":
    absltest.main()
