"""The public names of `kdsharp`, and imports that it must not trigger."""

import ast
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
from absl.testing import absltest

import kdsharp
from kdsharp.runtime import restore

_TRAINING_ALONE = (
    "dm_pix",
    "grain",
    "matplotlib",
    "ml_collections",
    "optax",
    "orbax",
    "scipy",
    "skimage",
    "tensorboardX",
    "tensorflow",
    "tensorflow_datasets",
)


def _loaded_by(code: str) -> set[str]:
    told = "import sys; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; {told}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


class PublicNamesTest(absltest.TestCase):
    def test_dir_and_unknown_names(self):
        self.assertRegex(kdsharp.__version__, r"^\d+\.\d+\.\d+$")
        self.assertContainsSubset({"load", "__version__"}, dir(kdsharp))
        self.assertTrue(callable(kdsharp.load))
        with self.assertRaisesRegex(AttributeError, "'lode'"):
            _ = kdsharp.lode

    def test_every_public_name_resolves(self):
        for name in kdsharp.__all__:
            self.assertIsNotNone(getattr(kdsharp, name), name)
        self.assertIs(kdsharp.load, restore.load)
        self.assertIsInstance(kdsharp.load("rt-s-bicubic2"), kdsharp.Sharpener)
        model = kdsharp.models.create("plain_cnn", depth=2, width=4)
        blurred = np.random.default_rng(0).random((1, 8, 8, 3), np.float32)
        variables = model.init(jax.random.key(0), blurred)
        restored = kdsharp.restore(model, variables, blurred)
        residual = np.asarray(model.apply(variables, blurred))
        np.testing.assert_allclose(restored, blurred + residual, atol=1e-6)
        self.assertIn("psnr", kdsharp.metrics.METRICS)
        self.assertIn("residual_kd", kdsharp.losses.TERMS)
        self.assertEqual(kdsharp.degradations.create("bicubic:2").factor, 2)

    def test_every_name_is_visible_to_type_checkers(self):
        tree = ast.parse(Path(kdsharp.__file__).read_text())
        (checked,) = (node for node in tree.body if isinstance(node, ast.If))
        seen = {
            alias.asname or alias.name for node in checked.body for alias in node.names
        }
        self.assertEqual(seen | {"__version__"}, set(kdsharp.__all__))
        self.assertTrue(Path(kdsharp.__file__).with_name("py.typed").exists())

    def test_import_does_not_load_heavy_packages(self):
        self.assertNoCommonElements(_loaded_by("import kdsharp"), {"jax", "numpy"})
        # Backends without JAX do not import it.
        weights = "from kdsharp.weights import store; store.load('rt-s-bicubic2')"
        self.assertNoCommonElements(_loaded_by(weights), {"jax", "flax"})

    def test_sharpening_does_not_load_training_packages(self):
        loaded = _loaded_by(
            "import kdsharp, numpy; "
            "kdsharp.load('rt-s-bicubic2')(numpy.zeros((9, 9, 3), 'uint8')); "
            "from kdsharp.commands import sharpen"
        )
        self.assertIn("jax", loaded)
        self.assertNoCommonElements(loaded, set(_TRAINING_ALONE))


if __name__ == "__main__":
    absltest.main()
