"""Ablations: equal steps, resuming, and the table."""

import json
from pathlib import Path

import numpy as np
import pytest
from absl.testing import absltest, parameterized
from ml_collections import ConfigDict

from kdsharp import ablation
from kdsharp.errors import UserError
from tests.training import runs

_CONFIG = runs.ROOT / "configs" / "ablation.py"


def _trial(method: str, seed: int, gain: float) -> ablation.Trial:
    return ablation.Trial(method, seed, 30 + gain, 0.9, gain, 12.0, 1.5, 1234)


class TableTest(parameterized.TestCase):
    def test_methods_are_compared_per_seed(self):
        gains = {"alone": [1.0, 2.0, 1.5], "worse": [0.9, 2.1, 1.2], "best": [2, 3, 4]}
        trials = [
            _trial(method, seed, gain)
            for method, by_seed in gains.items()
            for seed, gain in enumerate(by_seed)
        ]
        lines = ablation.markdown(trials, "alone").splitlines()[2:]
        self.assertEqual(
            [line.split("`")[1] for line in lines], ["alone", "best", "worse"]
        )
        apart = np.subtract(gains["worse"], gains["alone"])
        self.assertIn(f"{apart.mean():+.3f} ± {apart.std(ddof=1):.3f}", lines[2])
        self.assertIn("1 of 3", lines[2])
        self.assertIn("+1.500 ± 0.500", lines[0])


class AblationTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.root = Path(self.create_tempdir().full_path)
        photographs = runs.write_photographs(self.root / "photographs")
        self.base = runs.small_config(photographs, log_every=4)
        self.ablation = ConfigDict(
            {
                "baseline": "alone",
                "seeds": (0, 1),
                "steps": 12,
                "evaluations": 2,
                "methods": {
                    "alone": {},
                    "still": {
                        "optimizer": {"learning_rate": 0.0, "schedule": "constant"}
                    },
                },
            }
        )

    def _run_ablation(self) -> str:
        return ablation.run(self.ablation, self.base, self.root / "out")

    @pytest.mark.slow
    def test_every_method_is_trained_once_from_every_seed(self):
        text = self._run_ablation()
        out = self.root / "out"
        self.assertEqual((out / "ablation.md").read_text(), text + "\n")
        trials = json.loads((out / "ablation.json").read_text())
        self.assertLen(trials, 4)
        for trial in trials:
            curve = runs.curve(out / trial["method"] / f"seed{trial['seed']}")
            self.assertEqual(curve[-1]["step"], 12)
            self.assertLen([r for r in curve if "valid/psnr" in r], 2)
            if trial["method"] == "still":
                # At rate 0, the network keeps its initial residual of zero.
                self.assertAlmostEqual(trial["gain"], 0, places=5)
            else:
                self.assertNotAlmostEqual(trial["gain"], 0, places=3)
        # After one trial is deleted, only that one is trained again.
        lost = out / "alone" / "seed1"
        written = {p: p.stat().st_mtime_ns for p in out.rglob("scores.json")}
        (lost / "scores.json").unlink()
        self.assertEqual(self._run_ablation(), text)
        for path, moment in written.items():
            changed = path.stat().st_mtime_ns != moment
            self.assertEqual(changed, path.parent == lost, path)

    @pytest.mark.slow
    def test_folder_of_another_ablation_is_a_user_error(self):
        self.ablation.seeds = (0,)
        self.ablation.methods = {"alone": {}}
        self._run_ablation()
        self.ablation.steps = 24
        with self.assertRaisesRegex(UserError, "holds a run of another config"):
            self._run_ablation()

    def test_ablation_in_configs_is_valid(self):
        for variant in ("full", "smoke"):
            config, base = ablation.load(f"{_CONFIG}:{variant}")
            self.assertEqual(base.model.name, "dncnn")
            self.assertGreater(len(config.methods), 1)

    def test_other_config_is_a_user_error(self):
        student = runs.ROOT / "configs" / "student.py"
        with self.assertRaisesRegex(
            UserError, "student.py is not an ablation; give one"
        ):
            ablation.load(str(student))

    @parameterized.parameters(1, 3)
    @pytest.mark.slow
    def test_few_steps_are_timed_if_possible(self, steps):
        self.ablation.update(steps=steps, evaluations=1, seeds=(0,))
        self.ablation.methods = {"alone": {}}
        self.base.update(log_every=64, batch_size=48)
        self.base.data.crops_per_picture = 8
        text = self._run_ablation()
        (trial,) = json.loads((self.root / "out" / "ablation.json").read_text())
        curve = runs.curve(self.root / "out" / "alone" / "seed0")
        self.assertEqual(curve[-1]["step"], steps)
        if steps == 1:
            self.assertIsNone(trial["milliseconds_a_step"])
        else:
            self.assertGreater(trial["milliseconds_a_step"], 0)
        self.assertIn("| `alone`", text)

    @parameterized.parameters(
        ({"optimizer": {"learning_rate": -1.0}}, "learning_rate must be at least 0"),
        ({"batchsize": 4}, "no entry 'batchsize'; did you mean 'batch_size'"),
        ({"epochs": "many"}, "the ablation's method 'last': "),
        ({"objective": {"l3": 1.0}}, "unknown loss term 'l3'"),
    )
    def test_error_in_the_last_method_is_reported_before_training(
        self, change, message
    ):
        self.ablation.methods = {"alone": {}, "last": change}
        with self.assertRaisesRegex(UserError, message):
            self._run_ablation()
        self.assertFalse((self.root / "out").exists())

    def test_choosing_methods_by_name(self):
        ablation.choose(self.ablation, ["still"])
        self.assertEqual(set(self.ablation.methods), {"alone", "still"})
        ablation.choose(self.ablation, [])
        self.assertEqual(set(self.ablation.methods), {"alone"})
        with self.assertRaisesRegex(
            UserError, "no method 'loud'; choose one of: alone"
        ):
            ablation.choose(self.ablation, ["loud"])


if __name__ == "__main__":
    absltest.main()
