"""Networks with memory: which differences are evened out, and by how much."""

import jax
import numpy as np
from absl.testing import absltest

from kdsharp import models
from kdsharp.models import memory, real_time
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

    def test_what_a_context_leaves_alone_the_memory_leaves_alone(self):
        arguments = dict(_MODEL, context=4)
        model = models.create(**arguments)
        variables = random_networks.variables(arguments)
        for gain, factor in ((0.0, 0.0), (0.25, 0.25), (1.5, 1.0)):
            gains = np.full((2, model.width), gain, np.float32)
            gains += np.linspace(-gain / 2, gain / 2, model.width, dtype=np.float32)
            alone = models.restore(model, variables, self.frame, gains=gains)
            moved = models.restore(
                model, variables, self.frame, gains=gains, state=alone + 0.02
            )
            wanted = factor * memory.share(variables) * (1 - 0.02 / memory.REACH) * 0.02
            np.testing.assert_allclose(moved - alone, wanted, atol=1e-6)

    def test_gains_of_a_video_are_those_of_the_network(self):
        arguments = dict(_MODEL, context=4)
        model = models.create(**arguments)
        variables = random_networks.variables(arguments)
        state = self.frame + 0.01
        own = models.restore(model, variables, self.frame, state=state)
        gains = real_time.gains_of(model, variables, self.frame)
        given = models.restore(model, variables, self.frame, gains=gains, state=state)
        np.testing.assert_allclose(own, given, atol=1e-6)

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
