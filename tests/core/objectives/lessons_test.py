"""Distillation losses on features and views, against NumPy."""

import numpy as np
from absl.testing import absltest, parameterized

from kdsharp.core.objectives import Lesson, Outcome, lessons


def _features(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def _outcome(**given) -> Outcome:
    return Outcome(None, None, None, **given)


def _cosines(feature: np.ndarray) -> np.ndarray:
    b, h, w, f = feature.shape
    places = feature.reshape(b, h * w, f).astype(np.float64)
    places /= np.linalg.norm(places, axis=-1, keepdims=True)
    return places @ places.swapaxes(1, 2)


class LessonsTest(parameterized.TestCase):
    def test_feature_kd_compares_adapted_features(self):
        theirs, ours = _features(2, 5, 6, 8), _features(2, 5, 6, 8, seed=1)
        value = lessons.feature_kd(_outcome(), Lesson(None, (theirs,), (ours,)))
        expected = np.mean((ours - theirs) ** 2) / np.mean(theirs**2)
        np.testing.assert_allclose(value, expected, rtol=1e-5)

    def test_feature_kd_of_zeros_is_one(self):
        theirs = _features(2, 5, 6, 8)
        lesson = Lesson(None, (theirs,), (np.zeros_like(theirs),))
        np.testing.assert_allclose(lessons.feature_kd(_outcome(), lesson), 1, 1e-6)

    def test_affinities_are_cosines_of_all_pairs_of_positions(self):
        # The teacher has more channels than the student; no adapter is needed.
        theirs, ours = _features(2, 5, 6, 8), _features(2, 5, 6, 4, seed=1)
        value = lessons.affinity_kd(_outcome(features=(ours,)), Lesson(None, (theirs,)))
        expected = np.mean(np.abs(_cosines(ours) - _cosines(theirs)))
        np.testing.assert_allclose(value, expected, rtol=1e-4)

    def test_affinities_are_invariant_to_scaling(self):
        theirs = _features(1, 4, 4, 8)
        value = lessons.affinity_kd(
            _outcome(features=(3 * theirs,)), Lesson(None, (theirs,))
        )
        self.assertLess(value, 1e-6)

    def test_large_features_are_downscaled_before_comparison(self):
        # Features that differ between the halves, and features that are the same.
        halves = np.zeros((1, 64, 48, 2), np.float32)
        halves[:, :, :24, 0] = halves[:, :, 24:, 1] = 1
        alike = np.ones_like(halves)
        for ours, low, high in ((halves, 0, 1e-6), (alike, 0.45, 0.51)):
            value = lessons.affinity_kd(
                _outcome(features=(ours,)), Lesson(None, (halves,))
            )
            self.assertBetween(value, low, high)

    def test_views_kd_is_the_mean_over_views(self):
        ours = (_features(2, 4, 4, 3), _features(2, 8, 8, 3, seed=1))
        theirs = (_features(2, 4, 4, 3, seed=2), _features(2, 8, 8, 3, seed=3))
        value = lessons.views_kd(_outcome(views=ours), Lesson(None, views=theirs))
        expected = np.mean(
            [np.mean(np.abs(a - b)) for a, b in zip(ours, theirs, strict=True)]
        )
        np.testing.assert_allclose(value, expected, rtol=1e-5)


if __name__ == "__main__":
    absltest.main()
