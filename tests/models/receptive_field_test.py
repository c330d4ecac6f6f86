"""Receptive fields, against the effect of changing single pixels."""

import jax
import numpy as np
import pytest
from absl.testing import absltest, parameterized

from kdsharp import models
from tests.models import fast

NETWORKS = (
    ("dncnn", {"depth": 4, "width": 4}),
    ("plain_cnn", {"depth": 3, "width": 4}),
    ("light_cnn", {"widths": (4, 4)}),
    ("unet", {"widths": (4, 4)}),
    ("unet", {"widths": (4, 4, 4)}),
    ("separable_unet", {"widths": (4,)}),
    ("separable_unet", {"widths": (4, 4)}),
    ("encoder_decoder", {"width": 4}),
    ("real_time", {"depth": 3, "width": 8}),
    ("real_time", {"depth": 2, "width": 8, "factor": 4}),
    ("swinir", {"depths": (2,), "heads": (2,), "width": 4, "window": 4}),
)


def _positive(variables):
    """Makes all weights positive, so that no contributions cancel."""
    leaves, tree = jax.tree.flatten(variables)
    rng = np.random.default_rng(0)
    return jax.tree.unflatten(
        tree,
        [
            (rng.uniform(0.5, 1.5, x.shape) / np.prod(x.shape[:-1])).astype(np.float32)
            for x in leaves
        ],
    )


class ReceptiveFieldTest(parameterized.TestCase):
    def test_every_network_has_a_receptive_field(self):
        self.assertEqual({name for name, _ in NETWORKS}, set(models.FAMILIES))

    @parameterized.parameters(*NETWORKS)
    @pytest.mark.slow
    def test_changed_pixels_have_effect_exactly_within_the_radius(
        self, name, arguments
    ):
        model = models.create(name, **arguments)
        looks = models.receptive_field(model)
        step = looks.multiple
        middle = (looks.radius // step + 2) * step
        size = 2 * middle + step
        blurred = np.random.default_rng(1).random((1, size, size, 3), np.float32)
        variables = _positive(model.init(jax.random.key(0), blurred[:, :32, :32]))
        restore = fast.jit(lambda x: x + model.apply(variables, x))
        before, farthest = restore(blurred), 0
        # The pixel of a square with the largest radius depends on the network.
        for place in range(middle, middle + step):
            poked = blurred.copy()
            poked[:, place, place] = 1e4
            felt = np.argwhere((np.asarray(restore(poked)) != before)[0].any(-1))
            farthest = max(farthest, np.abs(felt - place).max())
        self.assertEqual(farthest, looks.radius)


if __name__ == "__main__":
    absltest.main()
