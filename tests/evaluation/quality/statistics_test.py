"""Bootstrap intervals against the normal distribution, and wins."""

import numpy as np
from absl.testing import absltest, parameterized

from kdsharp.evaluation.quality import statistics


class MeanTest(parameterized.TestCase):
    def test_interval_of_many_values_is_close_to_normal(self):
        values = np.random.default_rng(0).normal(3, 2, 400)
        found = statistics.mean(values)
        half = 1.96 * values.std() / np.sqrt(len(values))
        np.testing.assert_allclose(
            found,
            (values.mean(), values.mean() - half, values.mean() + half),
            atol=half / 10,
        )

    @parameterized.parameters(([5.0],), ([5.0, np.inf],))
    def test_no_interval_of_one_or_infinite_values(self, values):
        self.assertEqual(statistics.mean(values), (np.mean(values), None, None))

    def test_ratio_of_paired_means(self):
        gains = np.random.default_rng(0).uniform(1, 3, 50)
        np.testing.assert_allclose(statistics.ratio(0.8 * gains, gains), [0.8] * 3)


class WinsTest(absltest.TestCase):
    def test_ties_count_for_none(self):
        found = statistics.wins(
            {"a": [3, 2, 1, 5], "b": [1, 2, 4, 6], "c": [0, 0, 0, 0]}
        )
        self.assertEqual(found, {"a": 1, "b": 2, "c": 0})


if __name__ == "__main__":
    absltest.main()
