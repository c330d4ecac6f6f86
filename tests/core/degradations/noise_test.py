"""Noise against the distributions of SciPy."""

import jax
import numpy as np
import scipy.stats
from absl.testing import absltest, parameterized

from kdsharp.core.degradations import noise
from kdsharp.core.degradations.frames import Frame
from kdsharp.core.degradations.steps import Range


def _add(step, value: float = 0.5, shape=(2, 3, 64, 64)) -> np.ndarray:
    planes = np.full(shape, value, np.float32)
    drawn = jax.vmap(step.draw)(jax.random.split(jax.random.key(0), shape[0]))
    return np.asarray(step.apply(Frame(planes, None, shape[2:]), drawn).planes)


class NoiseTest(parameterized.TestCase):
    def test_gaussian_noise_is_normal_with_its_sigma(self):
        found = _add(noise.Noise(Range(0.1, 0.1))) - 0.5
        test = scipy.stats.kstest(found.ravel(), scipy.stats.norm(scale=0.1).cdf)
        self.assertGreater(test.pvalue, 0.01)

    @parameterized.parameters(noise.Noise(grey="1"), noise.Shot(grey="1"))
    def test_grey_noise_is_equal_in_all_channels(self, step):
        found = _add(step)
        np.testing.assert_array_equal(found[:, 0], found[:, 1])
        np.testing.assert_array_equal(found[:, 0], found[:, 2])

    @parameterized.parameters(noise.Noise(), noise.Shot())
    def test_coloured_noise_differs_between_channels_and_pictures(self, step):
        found = _add(step)
        planes = [found[0, 0].ravel(), found[0, 1].ravel(), found[1, 0].ravel()]
        correlations = np.corrcoef(planes) - np.eye(3)
        self.assertLess(np.abs(correlations).max(), 0.05)

    @parameterized.parameters(0.0, 0.3, 3.9, 4.1, 20.0, 500.0)
    def test_poisson_counts_equal_scipy_s_quantiles(self, mean):
        z = np.random.default_rng(0).normal(size=20000).astype(np.float32)
        wanted = scipy.stats.poisson.ppf(scipy.stats.norm.cdf(z.astype(float)), mean)
        got = np.asarray(noise.poisson(z, np.full(z.shape, mean, np.float32)))
        self.assertLess(np.mean(np.abs(got - wanted) > 0.5), 0.01)
        self.assertLess(np.abs(got - wanted).max(), 1.5)

    def test_shot_noise_has_poisson_mean_and_variance(self):
        found = _add(noise.Shot(Range(40, 40)), value=0.25)
        self.assertAlmostEqual(found.mean(), 0.25, delta=0.003)
        self.assertAlmostEqual(found.var(), 0.25 / 40, delta=0.0003)


if __name__ == "__main__":
    absltest.main()
