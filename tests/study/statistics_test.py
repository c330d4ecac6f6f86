"""Means, tests and screening, against textbooks and the text of BT.500."""

import math

import numpy as np
from absl.testing import absltest

from kdsharp.study import screening, statistics


class StatisticsTest(absltest.TestCase):
    def test_interval_is_students_t(self):
        found = statistics.mean(np.array([1.0, 2, 3, np.nan, 4, 5]))
        # t(0.975, 4) is 2.776 in every table.
        half = 2.7764451 * math.sqrt(2.5 / 5)
        np.testing.assert_allclose(found[:3], [3, 3 - half, 3 + half], rtol=1e-6)
        self.assertEqual(found.raters, 5)

    def test_holm_matches_the_paper(self):
        found = statistics.holm(np.array([0.01, 0.04, 0.03, 0.005]))
        np.testing.assert_allclose(found, [0.03, 0.06, 0.06, 0.02])

    def test_wilcoxon_matches_enumeration(self):
        six = np.arange(1.0, 7)
        scores = {"a": 10 + six, "b": np.full(6, 10.0), "c": np.full(6, 10.0)}
        found = {(x.first, x.second): x for x in statistics.pairs(scores)}
        # All of six ranks on one side: 2 of 64 ways, times 3 and times 2 by Holm.
        self.assertAlmostEqual(found["a", "b"].p, 3 * 2 / 64)
        self.assertAlmostEqual(found["a", "c"].p, 3 * 2 / 64)
        self.assertEqual(found["b", "c"].p, 1)
        self.assertAlmostEqual(found["a", "b"].difference, 3.5)

    def test_screening_matches_bt500(self):
        random = np.random.default_rng(3)
        truth = random.uniform(1, 5, 40)
        scores = truth + random.normal(0, 0.7, (20, 40))
        scores[7] = truth + random.choice([-2.2, 2.2], 40)
        scores[11] = truth + 2.2
        scores[2, 5:9] = np.nan
        self.assertEqual(screening.rejected(scores), by_hand(scores))
        self.assertIn(7, screening.rejected(scores))
        # Who is always above is not unsteady.
        self.assertNotIn(11, screening.rejected(scores))

    def test_unanimous_raters_are_kept(self):
        self.assertEqual(screening.rejected(np.full((5, 8), 4.0)), [])


def by_hand(scores: np.ndarray) -> list[int]:
    """The steps of BT.500, a number at a time."""
    above, below, answered = ([0] * len(scores) for _ in range(3))
    for column in scores.T.tolist():
        given = [x for x in column if not math.isnan(x)]
        mean = sum(given) / len(given)
        second, fourth = (
            sum((x - mean) ** power for x in given) / len(given) for power in (2, 4)
        )
        deviation = math.sqrt(second * len(given) / (len(given) - 1))
        if deviation == 0:
            continue
        normal = 2 <= fourth / second**2 <= 4
        far = (2 if normal else math.sqrt(20)) * deviation
        for rater, x in enumerate(column):
            above[rater] += x >= mean + far
            below[rater] += x <= mean - far
    out = []
    for rater, row in enumerate(scores.tolist()):
        answered[rater] = sum(not math.isnan(x) for x in row)
        p, q = above[rater], below[rater]
        if p + q and (p + q) / answered[rater] > 0.05 and abs(p - q) / (p + q) < 0.3:
            out.append(rater)
    return out


if __name__ == "__main__":
    absltest.main()
