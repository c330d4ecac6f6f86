"""What `import kdsharp` gives, and what it does not wait for."""

import subprocess
import sys

from absl.testing import absltest

import kdsharp

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
    def test_there_are_few(self):
        self.assertRegex(kdsharp.__version__, r"^\d+\.\d+\.\d+$")
        self.assertContainsSubset({"load", "__version__"}, dir(kdsharp))
        self.assertTrue(callable(kdsharp.load))
        with self.assertRaisesRegex(AttributeError, "'lode'"):
            _ = kdsharp.lode

    def test_to_import_it_loads_nothing_heavy(self):
        self.assertNoCommonElements(_loaded_by("import kdsharp"), {"jax", "numpy"})
        # Backends that do without JAX start without it.
        weights = "from kdsharp.weights import store; store.load('rt-s-bicubic2')"
        self.assertNoCommonElements(_loaded_by(weights), {"jax", "flax"})

    def test_to_sharpen_loads_nothing_of_training(self):
        loaded = _loaded_by(
            "import kdsharp, numpy; "
            "kdsharp.load('rt-s-bicubic2')(numpy.zeros((9, 9, 3), 'uint8')); "
            "from kdsharp.commands import sharpen"
        )
        self.assertIn("jax", loaded)
        self.assertNoCommonElements(loaded, set(_TRAINING_ALONE))


if __name__ == "__main__":
    absltest.main()
