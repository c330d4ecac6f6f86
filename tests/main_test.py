"""Flags of `python -m kdsharp.main`, in real processes."""

import pytest
from absl.testing import absltest, parameterized

from tests.training import runs


class FlagsTest(parameterized.TestCase):
    @parameterized.parameters(
        (
            "batchsize=3",
            "the config has no entry 'batchsize'; did you mean 'batch_size'?",
        ),
        ("data.patch=3", "the config has no entry 'data.patch'"),
        ("log_every=0", "config.log_every must be at least 1, not 0"),
        ("epochs=many", "flag --config.epochs=many: invalid literal"),
        # New loss terms are accepted as overrides, then looked up.
        ("objective.l3=0.5", "unknown loss term 'l3'; choose one of: mse, l1, "),
    )
    @pytest.mark.slow
    def test_unknown_entry_is_a_user_error(self, flag, message):
        workdir = self.create_tempdir().full_path
        finished = runs.run(
            [*runs.command(runs.ROOT, workdir), f"--config.{flag}"],
        )
        self.assertEqual(finished.returncode, 2)
        self.assertIn(f"kdsharp: {message}", finished.stderr)
        self.assertLen(finished.stderr.splitlines(), 1)


if __name__ == "__main__":
    absltest.main()
