"""Augmented views against NumPy, and the inverse transforms of residuals."""

import jax
import numpy as np
from absl.testing import absltest, parameterized

from kdsharp.core import views
from kdsharp.errors import UserError


def _pixels(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape, np.float32)


class ViewsTest(parameterized.TestCase):
    @parameterized.parameters(
        ("mirror", lambda x: x[:, :, ::-1]),
        ("flip", lambda x: np.flip(x, 1)),
        ("turn", lambda x: np.transpose(x, (0, 2, 1, 3))),
        ("negative", lambda x: 1 - x),
        ("mirror/turn", lambda x: np.transpose(x[:, :, ::-1], (0, 2, 1, 3))),
    )
    def test_only_the_student_sees_invertible_transforms(self, spec, expected):
        (view,) = views.create(spec)
        x = _pixels(2, 4, 6, 3)
        shown = view.show_teacher(x, jax.random.key(0))
        np.testing.assert_array_equal(shown, x)
        np.testing.assert_allclose(view.show_student(shown), expected(x), rtol=1e-6)

    @parameterized.parameters("mirror", "turn/negative", "flip/turn/mirror/negative")
    def test_residual_of_a_view_is_transformed_back(self, spec):
        (view,) = views.create(spec)
        blurred, sharp = _pixels(2, 2, 4, 6, 3)
        residual = view.show_student(sharp) - view.show_student(blurred)
        np.testing.assert_allclose(view.turn_back(residual), sharp - blurred, atol=1e-6)

    def test_zoom_in_enlarges_a_random_crop(self):
        (view,) = views.create("zoom_in")
        # Zooming halves the slope of a ramp.
        ramp = np.broadcast_to(np.arange(16.0)[:, None, None], (1, 16, 12, 1))
        seen = np.asarray(view.show_teacher(ramp, jax.random.key(0)))
        self.assertEqual(seen.shape, ramp.shape)
        np.testing.assert_allclose(np.diff(seen, axis=1)[:, 4:-4], 0.5, atol=1e-5)
        corners = {
            float(np.mean(view.show_teacher(ramp, jax.random.key(k)))) for k in range(6)
        }
        self.assertGreater(len(corners), 2)

    def test_zoom_out_halves_the_size(self):
        (view,) = views.create("zoom_out")
        ramp = np.broadcast_to(np.arange(16.0)[:, None, None], (1, 16, 12, 1))
        seen = np.asarray(view.show_teacher(ramp, jax.random.key(0)))
        self.assertEqual(seen.shape, (1, 8, 6, 1))
        np.testing.assert_allclose(np.diff(seen, axis=1)[:, 2:-2], 2, atol=1e-4)

    def test_comma_separated_list_of_views(self):
        both = views.create("zoom_in/negative, zoom_out/mirror/flip")
        self.assertEqual([view.zooms for view in both], [("zoom_in",), ("zoom_out",)])
        self.assertEqual([view.turns for view in both][1], ("mirror", "flip"))
        self.assertEqual(views.create(""), ())

    def test_unknown_view_is_a_user_error(self):
        with self.assertRaisesRegex(UserError, "'zoom'; choose one of: zoom_in"):
            views.create("zoom/mirror")


if __name__ == "__main__":
    absltest.main()
