"""The grammar of specs, and properties that every degradation has."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import absltest, parameterized
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from kdsharp.core import degradations
from kdsharp.errors import UserError
from tests.core.degradations.photographs import as_float, crops

# A probability, a choice, noise, and small pictures of different sizes.
_MIXED = "down:1-3+gaussian:0-1/noise@0.7+up"


def _keys(count: int, seed: int = 0):
    return jax.random.split(jax.random.key(seed), count)


class GrammarTest(parameterized.TestCase):
    @parameterized.parameters(
        ("", "unknown degradation ''"),
        ("blur", "unknown degradation 'blur'; choose one of: bicubic, .*video_call"),
        ("jpeg+blur", "unknown degradation 'blur' in 'jpeg\\+blur'"),
        ("jpeg+", "unknown degradation '' in"),
        ("bicubic:0.5", "'0.5' for 'factor', which is .* from 1 to 64"),
        ("bicubic:two", "'two' for 'factor'"),
        ("bicubic:4-2", "'4-2' for 'factor'"),
        ("bicubic:2,1,3", "3 arguments; bicubic takes: factor, exact"),
        ("bicubic:", "'' for 'factor'"),
        ("noise:25", "'25' for 'sigma', .* from 0 to 1"),
        ("jpeg:20.5", "'20.5' for 'quality', which is a whole number"),
        ("jpeg:chroma=422", "'422' for 'chroma'; choose one of: 420, 444"),
        ("jpeg:speed=2", "no argument 'speed'; jpeg takes: quality, chroma"),
        ("jpeg:20,quality=30", "two values for 'quality'"),
        ("gaussian:1,angle=3", "only with across"),
        ("video_call:3", "takes no arguments; it is down"),
        ("jpeg@2", "'2' after '@'"),
        ("jpeg@", "'' after '@'"),
        ("motion@0.5/defocus", "inside a choice"),
        ("motion|defocus", "alternatives by '/'"),
        ("down:2+jpeg", "without an 'up'"),
        ("jpeg+up", "without a 'down'"),
        ("down+down+up+up", "'down' between"),
        ("down+bicubic:2+up", "'bicubic:2' between"),
        ("down+video_call+up", "'video_call' between"),
        ("down@0.5+up", "only some pictures"),
        ("down/jpeg+up", "only some pictures"),
    )
    def test_invalid_spec_is_a_one_line_user_error(self, spec, reason):
        with self.assertRaisesRegex(UserError, reason) as caught:
            degradations.create(spec)
        self.assertNotIn("\n", str(caught.exception))

    @parameterized.parameters(*degradations.STEPS)
    def test_every_step_has_defaults(self, name):
        degradations.create({"down": "down+up", "up": "down+up"}.get(name, name))

    @parameterized.parameters(*degradations.NAMED)
    def test_named_composition_equals_its_spec(self, name):
        by_name = degradations.create(name)
        written = degradations.create(degradations.NAMED[name])
        self.assertEqual(by_name.chain.nodes[0].alternatives, (written.chain,))

    def test_fixed_arguments_are_not_sampled(self):
        self.assertEmpty(degradations.create("down:2+jpeg:50+up").draw(_keys(2)))

    @parameterized.parameters(
        ("bicubic:2", 2),
        ("down:3+noise:0.1+up", 3),
        ("bicubic:2/area:3+jpeg", 6),
        ("bicubic:1-4", 1),
        ("bicubic:1.5", 1),
        ("gaussian:2+shake:9", 1),
    )
    def test_factor_is_the_lcm_of_fixed_integer_factors(self, spec, factor):
        self.assertEqual(degradations.create(spec).factor, factor)

    def test_repeated_steps_are_numbered(self):
        drawn = degradations.create("jpeg+motion/jpeg@0.5").draw(_keys(3))
        self.assertSameElements(
            drawn,
            [
                "jpeg.quality",
                "motion/jpeg.happens",
                "motion/jpeg.choice",
                "motion.length",
                "motion.angle",
                "jpeg2.quality",
            ],
        )
        for value in drawn.values():
            self.assertEqual(value.shape, (3,))

    @pytest.mark.slow
    def test_ranges_have_their_distributions(self):
        drawn = degradations.create(
            "gaussian:1-3+jpeg:20-22+shot:10-1000+noise/halo@0.25+down:1-4+up"
        ).draw(_keys(2000))
        uniform = np.asarray(drawn["gaussian.sigma"])
        self.assertBetween(uniform.min(), 1, 1.02)
        self.assertBetween(uniform.max(), 2.98, 3)
        self.assertAlmostEqual(uniform.mean(), 2, delta=0.05)
        qualities, counts = np.unique(drawn["jpeg.quality"], return_counts=True)
        np.testing.assert_array_equal(qualities, [20, 21, 22])
        self.assertGreater(counts.min(), 550)
        self.assertAlmostEqual(np.median(drawn["shot.peak"]), 100, delta=15)
        self.assertAlmostEqual(np.median(drawn["down.factor"]), 2, delta=0.1)
        self.assertAlmostEqual(np.mean(drawn["noise/halo.happens"]), 0.25, delta=0.04)
        self.assertAlmostEqual(np.mean(drawn["noise/halo.choice"]), 0.5, delta=0.05)

    @pytest.mark.slow
    def test_description_is_a_spec_that_reproduces_the_picture(self):
        degrade = degradations.create("bicubic:1-3/halo:1-2,sigma=0-1")
        keys, sharp = _keys(3, seed=3), as_float(crops(3))
        drawn = degrade.draw(keys)
        got = degrade.apply(drawn, sharp)
        told = [degrade.describe(drawn, i) for i in range(3)]
        self.assertLen(set(told), 3)
        for i, spec in enumerate(told):
            again = degradations.create(spec)
            self.assertEmpty(again.draw(keys))
            error = jnp.abs(again(keys[:1], sharp[i : i + 1])[0] - got[i])
            # The description has three digits of each number.
            self.assertLess(error.mean(), 1 / 255)

    def test_skipped_step_leaves_the_picture_unchanged(self):
        degrade = degradations.create("jpeg:5@0.5")
        sharp = as_float(crops(8))
        drawn = degrade.draw(_keys(8))
        changed = np.abs(degrade.apply(drawn, sharp) - sharp).max((1, 2, 3)) > 1e-6
        np.testing.assert_array_equal(changed, drawn["jpeg.happens"])
        spared = int(np.argmin(changed))
        self.assertEqual(degrade.describe(drawn, spared), "nothing")


class DegradationTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.degrade = degradations.create(_MIXED)
        self.sharp = as_float(crops(4, 37, 51))
        self.keys = _keys(4)

    def _assert_same(self, got, wanted):
        # Sums in a different order may round to a different level.
        difference = np.abs(np.asarray(got) - np.asarray(wanted)) * 255
        self.assertLess((difference > 0.5).mean(), 0.002)

    def test_result_is_an_8_bit_picture_of_the_same_shape(self):
        got = np.asarray(self.degrade(self.keys, self.sharp))
        self.assertEqual(got.shape, self.sharp.shape)
        self.assertEqual(got.dtype, np.float32)
        self.assertBetween(got.min(), 0, got.max())
        self.assertLessEqual(got.max(), 1)
        np.testing.assert_allclose(got * 255, np.round(got * 255), atol=1e-3)

    def test_result_depends_on_the_picture_s_key_alone(self):
        together = self.degrade(self.keys, self.sharp)
        turned = self.degrade(self.keys[::-1], self.sharp[::-1])[::-1]
        self._assert_same(turned, together)
        alone = self.degrade(self.keys[2:3], self.sharp[2:3])
        self._assert_same(alone[0], together[2])

    def test_sharding_does_not_change_the_result(self):
        whole = self.degrade(self.keys, self.sharp)
        mesh = Mesh(jax.devices()[:4], "data")
        spread = NamedSharding(mesh, PartitionSpec("data"))
        keys, sharp = jax.device_put((self.keys, self.sharp), spread)
        self._assert_same(jax.jit(self.degrade)(keys, sharp), whole)

    def test_works_under_vmap(self):
        whole = self.degrade(self.keys, self.sharp)
        one = jax.vmap(lambda key, x: self.degrade(key[None], x[None])[0])
        self._assert_same(jax.jit(one)(self.keys, self.sharp), whole)

    @parameterized.parameters(
        "bicubic:2", "defocus:1,linear=1", "shot", "halo:1", "jpeg:50", _MIXED
    )
    @pytest.mark.slow
    def test_gradients_are_finite_and_nonzero(self, spec):
        degrade = degradations.create(spec)
        # Black and white are where powers and roots can fail.
        sharp = jnp.asarray(self.sharp[:2]).at[:, :9].set(0).at[:, -9:].set(1)

        def energy(sharp):
            return jnp.sum(jnp.square(degrade(self.keys[:2], sharp)))

        gradient = jax.jit(jax.grad(energy))(sharp)
        self.assertTrue(np.isfinite(gradient).all())
        self.assertGreater(np.abs(gradient).mean(), 0.1)

    def test_one_channel_works(self):
        degrade = degradations.create("gaussian:1+shot:grey=1")
        got = degrade(self.keys, self.sharp[..., :1])
        self.assertEqual(got.shape, (4, 37, 51, 1))

    def test_steps_between_down_and_up_work_on_the_small_picture(self):
        sharp = as_float(crops(1, 72, 72))
        keys = _keys(1)
        fixed = degradations.create("down:4+halo:1,sigma=1+up")(keys, sharp)
        small = degradations.resize(sharp, 18, 18)
        coded = degradations.create("halo:1,sigma=1")(keys, small)
        wanted = degradations.resize(coded, 72, 72)
        self._assert_same(fixed, wanted)
        drawn = degradations.create("down:1-4+halo:1,sigma=1+up")
        got = drawn.apply({"down.factor": jnp.asarray([4.0])}, sharp)
        self._assert_same(got, wanted)


if __name__ == "__main__":
    absltest.main()
