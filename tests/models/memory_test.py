"""Networks with memory: what reaches them of the frame before."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest

from kdsharp import models
from kdsharp.models import memory


def _network(**arguments):
    model = models.create("real_time", channels=1, width=6, **arguments)
    pixels = jnp.zeros((1, 16, 16, 1))
    variables = model.init(jax.random.key(0), pixels)
    noisy = lambda path, x: (  # noqa: E731
        x + 0.1 * jax.random.normal(jax.random.key(len(str(path))), x.shape)
    )
    return model, jax.tree_util.tree_map_with_path(noisy, variables)


class MemoryTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        rng = np.random.default_rng(0)
        self.frame = jnp.asarray(rng.random((2, 18, 14, 1)), jnp.float32)
        self.other = jnp.asarray(rng.random((2, 18, 14, 1)), jnp.float32)

    def test_a_frame_that_remembers_itself_is_a_picture(self):
        model, variables = _network(memory=True)
        state = memory.start(model, self.frame)
        residual, _ = memory.step(model, variables, self.frame, state)
        alone = model.apply(variables, self.frame)
        np.testing.assert_allclose(residual, alone, atol=1e-6)

    def test_a_network_without_memory_is_the_special_case(self):
        model, variables = _network()
        self.assertIsNone(memory.start(model, self.frame))
        residual, state = memory.step(model, variables, self.frame, None)
        self.assertIsNone(state)
        np.testing.assert_array_equal(residual, model.apply(variables, self.frame))

    def test_near_differences_reach_the_network_and_far_ones_do_not(self):
        model, variables = _network(memory=True)
        alone = model.apply(variables, self.frame)
        for apart, reaches in ((0.02, True), (memory.REACH, False), (0.5, False)):
            state = memory.remember(self.frame + apart, self.frame - apart)
            residual, _ = memory.step(model, variables, self.frame, state)
            changed = float(jnp.abs(residual - alone).max())
            self.assertEqual(changed > 1e-3, reaches, apart)

    def test_differences_are_at_most_one(self):
        apart = memory.differences(
            self.frame, memory.remember(self.other, self.frame - 0.05)
        )
        self.assertLessEqual(float(jnp.abs(apart).max()), 1 + 1e-6)
        np.testing.assert_allclose(apart[..., 1], -1, atol=1e-5)

    def test_the_next_state_is_the_frame_and_its_restoration(self):
        model, variables = _network(memory=True)
        state = memory.start(model, self.frame)
        residual, state = memory.step(model, variables, self.frame, state)
        np.testing.assert_array_equal(state[..., :1], self.frame)
        restored = jnp.clip(self.frame + residual, 0, 1)
        np.testing.assert_array_equal(state[..., 1:], restored)

    def test_an_untrained_memory_changes_nothing(self):
        model = models.create("real_time", channels=1, width=6, memory=True)
        variables = model.init(jax.random.key(0), self.frame)
        self.assertEqual(variables["params"]["recall"]["kernel"].shape, (3, 3, 8, 6))
        np.testing.assert_array_equal(variables["params"]["recall"]["kernel"], 0)


if __name__ == "__main__":
    absltest.main()
