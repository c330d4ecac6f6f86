"""Networks with memory: which differences are evened out, and by how much."""

import jax
import numpy as np
from absl.testing import absltest

from kdsharp import models
from kdsharp.models import memory
from tests.export import random_networks

_MODEL = dict(name="real_time", channels=1, width=6, memory=True)


class MemoryTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.model = models.create(**_MODEL)
        self.variables = random_networks.variables(_MODEL)
        self.frame = np.random.default_rng(0).random((2, 18, 14, 1), np.float32)
        self.alone = models.restore(self.model, self.variables, self.frame)

    def _restore(self, state, **options) -> np.ndarray:
        return np.asarray(
            models.restore(
                self.model, self.variables, self.frame, state=state, **options
            )
        )

    def test_near_differences_are_evened_out_and_far_ones_are_not(self):
        share = 1 / (1 + np.exp(-self.variables["params"]["share"]))
        for apart in (0.01, -0.03, 0.059):
            near = 1 - abs(apart) / memory.REACH
            moved = self._restore(self.alone + apart) - self.alone
            np.testing.assert_allclose(moved, share * near * apart, atol=1e-6)
        for apart in (memory.REACH + 1e-4, -0.5):
            np.testing.assert_array_equal(self._restore(self.alone + apart), self.alone)

    def test_a_state_that_is_not_kept_changes_nothing(self):
        near = self._restore(self.alone + 0.02, keep=0.0)
        np.testing.assert_array_equal(near, self.alone)

    def test_a_still_noisy_scene_flickers_less(self):
        rng = np.random.default_rng(1)
        state, changes = None, []
        for _ in range(20):
            noisy = self.alone + rng.normal(0, 0.01, self.alone.shape)
            steady = noisy if state is None else memory.steady(noisy, state, 0.5)
            changes.append(0 if state is None else np.std(steady - state))
            state = steady
        self.assertLess(np.mean(changes[5:]), 0.75 * 0.01 * np.sqrt(2))

    def test_the_share_starts_at_a_quarter(self):
        variables = self.model.init(jax.random.key(0), self.frame)
        np.testing.assert_allclose(memory.share(variables), 0.27, atol=0.01)
        self.assertNotIn(
            "share",
            models.create(**_MODEL | {"memory": False}).init(
                jax.random.key(0), self.frame
            )["params"],
        )


if __name__ == "__main__":
    absltest.main()
