"""Profiles of runs, read as TensorBoard and Perfetto do."""

import gzip
import json
import tempfile
from pathlib import Path

import jax
import pytest
from absl.testing import absltest, parameterized

from kdsharp.data import sources
from kdsharp.errors import UserError
from kdsharp.training import loop, profiling
from tests.training import runs


class ProfilingTest(parameterized.TestCase):
    @pytest.mark.slow
    def test_requested_steps_are_in_the_trace(self):
        with tempfile.TemporaryDirectory() as name:
            root = Path(name)
            photographs = runs.write_photographs(root / "photographs")
            config = runs.small_config(photographs, epochs=1)
            config.profile = "2:3"
            source = f"folder:{photographs}"
            pictures = {s: sources.create(source, s) for s in ("train", "valid")}
            (root / "run").mkdir()
            loop.Run(config, root / "run", sources=pictures).train()
            # The file for TensorBoard, read with JAX.
            (file,) = (root / "run" / "profile").rglob("*.xplane.pb")
            planes = jax.profiler.ProfileData.from_file(str(file)).planes
            steps = [
                dict(event.stats)["step_num"]
                for plane in planes
                for line in plane.lines
                for event in line.events
                if event.name == "train"
            ]
            self.assertEqual(sorted(steps), [2, 3, 4])
            # The file for Perfetto.
            (file,) = (root / "run" / "profile").rglob("perfetto_trace.json.gz")
            with gzip.open(file) as trace:
                events = json.load(trace)["traceEvents"]
            self.assertLen([e for e in events if e.get("name") == "train"], 3)

    @parameterized.parameters("5", "a:b", "1:0", "-1:2", ":")
    def test_invalid_profile_is_a_user_error(self, spec):
        with self.assertRaisesRegex(UserError, "config.profile .*as 10:5"):
            profiling.Profile(spec, Path("nowhere"))


if __name__ == "__main__":
    absltest.main()
