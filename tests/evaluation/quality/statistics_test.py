"""Intervals against the normal distribution's, wins by hand."""

import numpy as np
from absl.testing import absltest, parameterized

from kdsharp.evaluation.quality import statistics


class MeanTest(parameterized.TestCase):
    def test_of_many_values_the_interval_is_the_normal_one(self):
        values = np.random.default_rng(0).normal(3, 2, 400)
        found = statistics.mean(values)
        half = 1.96 * values.std() / np.sqrt(len(values))
        np.testing.assert_allclose(
            found,
            (values.mean(), values.mean() - half, values.mean() + half),
            atol=half / 10,
        )

    @parameterized.parameters(([5.0],), ([5.0, np.inf],))
    def test_there_is_none_where_there_can_be_none(self, values):
        self.assertEqual(statistics.mean(values), (np.mean(values), None, None))

    def test_a_ratio_is_of_means_picture_by_picture(self):
        gains = np.random.default_rng(0).uniform(1, 3, 50)
        np.testing.assert_allclose(statistics.ratio(0.8 * gains, gains), [0.8] * 3)


class WinsTest(absltest.TestCase):
    def test_a_draw_is_nobodys(self):
        found = statistics.wins(
            {"a": [3, 2, 1, 5], "b": [1, 2, 4, 6], "c": [0, 0, 0, 0]}
        )
        self.assertEqual(found, {"a": 1, "b": 2, "c": 0})


if __name__ == "__main__":
    absltest.main()
