"""Gains computed by NumPy match those of the Flax module."""

import functools

import jax
import numpy as np
import pytest
from absl.testing import absltest, parameterized

from kdsharp.data import dead_leaves
from kdsharp.export import gains
from kdsharp.models import real_time

_BT601 = np.float32((0.299, 0.587, 0.114))


@functools.cache
def _context():
    """A context with random weights, and its parameters."""
    module = real_time.Context(outputs=12, filters=8)
    params = module.init(jax.random.key(0), np.zeros((1, 16, 16, 1)))["params"]
    params = jax.tree.map(np.array, params)
    random = np.random.default_rng(0)
    # At initialisation all gains are 1.
    params["gains"]["kernel"] = np.float32(random.normal(0, 0.25, size=(16, 12)))
    return module, params


@functools.cache
def _picture() -> np.ndarray:
    return np.float32(dead_leaves.render(3, size=256, seed=1) / 255)


class GainsTest(parameterized.TestCase):
    @parameterized.parameters(
        (1, 1), (5, 40), (12, 12), (19, 21), (150, 97), (256, 256)
    )
    def test_matches_flax_at_any_size(self, height, width):
        module, params = _context()
        rgb = _picture()[:height, :width]
        for picture in (rgb, rgb[..., 1:2]):
            expected = module.apply({"params": params}, picture[None])
            found = gains.of_batch(params, picture[None], _BT601)
            np.testing.assert_allclose(found, expected, atol=1e-4)

    def test_each_picture_of_a_batch_has_its_own_gains(self):
        module, params = _context()
        batch = np.stack([_picture()[:64, :64], 0.2 * _picture()[64:128, 64:128]])
        found = gains.of_batch(params, batch, _BT601)
        np.testing.assert_allclose(
            found, module.apply({"params": params}, batch), atol=1e-4
        )
        self.assertGreater(np.abs(found[0] - found[1]).max(), 0.1)

    def test_bands_of_a_tall_picture_add_up(self):
        module, params = _context()
        tall = np.tile(_picture()[..., :1], (9, 1, 1))[:, :40]
        np.testing.assert_allclose(
            gains.gains(params, tall[..., 0]),
            module.apply({"params": params}, tall[None])[0],
            atol=1e-4,
        )

    def test_hidden_pixels_do_not_count(self):
        _, params = _context()
        luma = _picture()[:96, :120, 0]
        visible = np.ones(luma.shape, bool)
        visible[:, 60:] = False
        other = np.where(visible, luma, 0.5)
        found = [gains.gains(params, x, visible=visible) for x in (luma, other)]
        np.testing.assert_array_equal(*found)
        # Windows start at multiples of 8; 48 is the last that ends before 60.
        np.testing.assert_allclose(
            found[0], gains.gains(params, luma[:, :60]), atol=1e-5
        )
        # If no window is entirely visible, all windows count.
        visible = np.zeros(luma.shape, bool)
        visible[::2] = True
        np.testing.assert_array_equal(
            gains.gains(params, luma, visible=visible), gains.gains(params, luma)
        )

    @parameterized.parameters((2, 960), (4, 1360))
    @pytest.mark.slow
    def test_sampled_rows_approximate_all_rows(self, every, size):
        # As many rows as are used of planes of this size.
        _, params = _context()
        plane = dead_leaves.render(5, size=size, seed=1)[..., 1]
        luma = np.float32(plane / 255)
        whole = gains.gains(params, luma)
        self.assertGreater(np.ptp(whole), 0.5)
        part = gains.gains(params, luma, every=every)
        self.assertLess(np.abs(part - whole).max(), 0.02)
        self.assertGreater(np.abs(part - whole).max(), 0)


if __name__ == "__main__":
    absltest.main()
