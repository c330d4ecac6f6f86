"""Runs: training, invalid settings and failures."""

import os
from pathlib import Path

import jax
import numpy as np
import pytest
from absl.testing import parameterized
from ml_collections import ConfigDict
from PIL import Image

from kdsharp import experiment
from kdsharp.errors import UserError
from kdsharp.training import loop
from kdsharp.weights import store
from tests.training import runs


class LoopTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.root = Path(self.create_tempdir().full_path)
        self.photographs = runs.write_photographs(self.root / "photographs")
        self.workdir = self.root / "run"

    def _run(self, **changes):
        experiment.run(runs.small_config(self.photographs, **changes), self.workdir)

    def _teacher(self, **changes) -> str:
        folder = self.root / "teacher"
        config = runs.small_config(
            self.photographs,
            **{
                "name": "teacher",
                "epochs": 3,
                "data.crops_per_picture": 24,
                "optimizer.learning_rate": 3e-3,
            },
            **changes,
        )
        experiment.run(config, folder)
        return str(folder)

    @pytest.mark.slow
    def test_a_student_learns_from_a_teacher(self):
        self._run(
            **{
                "teacher.weights": self._teacher(),
                "objective.residual_kd": 1.0,
                "epochs": 8,
                "data.crops_per_picture": 24,
                "optimizer.learning_rate": 3e-3,
            }
        )
        curve = runs.curve(self.workdir)
        losses = [r["train/residual_kd"] for r in curve if "train/residual_kd" in r]
        self.assertLess(np.mean(losses[-6:]), np.mean(losses[:6]))
        card = store.load(str(self.workdir)).card
        scores = card["scores"]["held-out pictures"]
        self.assertEqual(set(scores), {"input", "teacher", "student"})
        self.assertGreater(scores["student"]["psnr"], scores["input"]["psnr"] + 0.5)
        report = (self.workdir / "report.md").read_text()
        self.assertIn("| student |", report)
        for name in ("samples.png", "curves.png"):
            with Image.open(self.workdir / name) as picture:
                self.assertGreater(np.asarray(picture).std(), 1)

    @parameterized.parameters("float32", "bfloat16")
    @pytest.mark.slow
    def test_luma_networks_train_in_either_precision(self, dtype):
        self._run(**{"model.channels": 1, "model.mean": (0.4,), "dtype": dtype})
        weights = store.load(str(self.workdir))
        self.assertEqual(weights.variables["params"]["conv1"]["kernel"].shape[2], 1)

    @pytest.mark.slow
    def test_early_stopping_ends_a_run(self):
        self._run(
            **{
                "optimizer.learning_rate": 0.0,
                "optimizer.schedule": "constant",
                "stopping.patience": 2,
            }
        )
        scored = [r["step"] for r in runs.curve(self.workdir) if "valid/psnr" in r]
        self.assertEqual(scored, [6, 12, 18])

    @pytest.mark.slow
    def test_network_without_gain_is_reported(self):
        with self.assertLogs("kdsharp", "WARNING") as logs:
            self._run(
                **{
                    "optimizer.learning_rate": 0.0,
                    "optimizer.schedule": "constant",
                    "epochs": 1,
                }
            )
        self.assertRegex(logs.output[0], "no better than its input")
        self.assertIn(
            "**The network is no better than its input.**",
            (self.workdir / "report.md").read_text(),
        )

    @pytest.mark.slow
    def test_non_finite_loss_stops_the_run_and_names_the_step(self):
        with self.assertRaisesRegex(loop.Diverged, r"step (\d+) is not finite") as got:
            self._run(
                **{
                    "optimizer.learning_rate": 1e30,
                    "optimizer.schedule": "constant",
                }
            )
        step = int(str(got.exception).split()[1])
        self.assertGreater(step, 1)
        kept = sorted(
            int(p.name)
            for p in (self.workdir / "checkpoints" / "latest").iterdir()
            if p.name.isdigit()
        )
        self.assertEqual(kept[-1], step - 1)
        logged = [r["step"] for r in runs.curve(self.workdir)]
        self.assertLess(max(logged), step)

    @parameterized.named_parameters(
        ("model", {"model.name": "dncn"}, "unknown model 'dncn'.*dncnn"),
        ("source", {"data.source": "celebs"}, "celebs.*embedded.*folder"),
        ("missing", {"data.source": "folder:/no/such"}, "/no/such"),
        ("patch", {"data.patch_size": 64}, "none of the 6 .* 64 pixels .* at most 48"),
        ("teacher", {"teacher.weights": "nobody"}, "no weights 'nobody'"),
        ("no_teacher", {"objective.residual_kd": 1.0}, "'residual_kd' needs"),
        ("degradation", {"degradation": "fog:2"}, "fog.*bicubic"),
        ("schedule", {"optimizer.schedule": "linear"}, "'linear'.*constant, cosine"),
        ("metric", {"stopping.metric": "lpips"}, "'lpips'.*psnr, ssim, mse"),
        ("parallel", {"parallel": "tpu"}, "'tpu'; choose one of: jit, pmap"),
        ("dtype", {"dtype": "float8"}, "'float8'; choose one of: float32, bfloat16"),
        ("batch", {"batch_size": 12, "devices": 8}, "12 does not divide by 8 devices"),
        ("devices", {"devices": 9}, "9 devices requested"),
        ("epochs", {"epochs": 0}, "epochs"),
        ("budget", {"budget": "soon"}, "config.budget 'soon' is not a duration"),
        ("placement", {"data.placement": "moon"}, "'moon'; choose one of: host, dev"),
        (
            "steps_per_call",
            {"steps_per_call": -1},
            "steps_per_call must be at least 0, not -1",
        ),
    )
    def test_invalid_config_is_a_user_error_and_writes_nothing(self, changes, message):
        with self.assertRaisesRegex(UserError, message):
            self._run(**changes)
        self.assertFalse(self.workdir.exists())

    def test_empty_folder_is_a_user_error(self):
        (self.root / "empty").mkdir()
        with self.assertRaisesRegex(UserError, "empty"):
            self._run(**{"data.source": f"folder:{self.root / 'empty'}"})
        self.assertFalse(self.workdir.exists())

    @pytest.mark.slow
    def test_a_teacher_that_does_not_fit_names_the_tensor(self):
        path = store.locate(self._teacher())
        card = path.with_suffix(".json")
        card.write_text(card.read_text().replace('"width": 8', '"width": 16', 1))
        with self.assertRaisesRegex(
            UserError, r"tensor \w+/\w+/\w+ is \(8,\), not \(16,\), and \d+ more"
        ):
            self._run(**{"teacher.weights": str(path)})
        self.assertFalse(self.workdir.exists())

    @pytest.mark.slow
    def test_teacher_of_other_channels_is_a_user_error(self):
        teacher = self._teacher(**{"model.channels": 1, "model.mean": (0.4,)})
        with self.assertRaisesRegex(UserError, "works on 1 channels, .* on 3"):
            self._run(**{"teacher.weights": teacher})

    def test_unwritable_work_folder_is_a_user_error(self):
        blocker = self.root / "file"
        blocker.write_text("")
        self.workdir = blocker / "run"
        with self.assertRaisesRegex(UserError, "cannot write to the work folder"):
            self._run()

    def test_bad_pictures_are_logged_and_skipped(self):
        (self.photographs / "train" / "broken.jpg").write_bytes(os.urandom(100))
        with self.assertLogs(level="WARNING") as logs:
            self._run(epochs=1)
        self.assertTrue(any("broken.jpg" in line for line in logs.output))
        self.assertTrue((self.workdir / "student.safetensors").exists())

    @pytest.mark.slow
    def test_run_whose_scoring_failed_is_scored_by_the_same_command(self):
        test = {path: path.read_bytes() for path in self.photographs.glob("test/*")}
        for path, content in test.items():
            path.write_bytes(content[: len(content) // 2])
        with self.assertRaisesRegex(UserError, "none of the 6 .* can be decoded"):
            self._run(epochs=1)
        unscored = store.load(str(self.workdir))
        self.assertEqual(set(unscored.card["scores"]), {"validation"})
        self.assertFalse((self.workdir / "report.md").exists())
        curve = (self.workdir / "metrics.jsonl").read_bytes()
        for path, content in test.items():
            path.write_bytes(content)
        (self.workdir / "samples.png").mkdir()
        with self.assertRaises(IsADirectoryError):
            self._run(epochs=1)
        (self.workdir / "samples.png").rmdir()
        weights = store.locate(str(self.workdir))
        written = weights.read_bytes()
        self._run(epochs=1)
        self.assertEqual((self.workdir / "metrics.jsonl").read_bytes(), curve)
        self.assertEqual(weights.read_bytes(), written)
        scores = store.load(str(self.workdir)).card["scores"]
        self.assertEqual(set(scores["held-out pictures"]), {"input", "student"})
        self.assertIn("| student |", (self.workdir / "report.md").read_text())
        # Later runs of the command do not change the scores.
        for path, content in test.items():
            path.write_bytes(content[: len(content) // 2])
        with self.assertRaisesRegex(UserError, "can be decoded"):
            self._run(epochs=1)
        self.assertEqual(store.load(str(self.workdir)).card["scores"], scores)

    @pytest.mark.slow
    def test_run_starts_from_given_weights(self):
        self._run(epochs=1)
        first = store.load(str(self.workdir))
        begun, self.workdir = self.workdir, self.root / "second"
        still = {"optimizer.learning_rate": 0.0, "optimizer.schedule": "constant"}
        self._run(init=str(begun), epochs=1, **still)
        second = store.load(str(self.workdir))
        np.testing.assert_array_equal(
            first.variables["params"]["conv1"]["kernel"],
            second.variables["params"]["conv1"]["kernel"],
        )
        with self.assertRaisesRegex(UserError, "config.init .* asks for"):
            self._run(**{"init": str(begun), "model.width": 16})

    @pytest.mark.slow
    def test_a_network_gets_a_context_that_suits_it(self):
        model = {"name": "real_time", "channels": 3, "depth": 3, "width": 8}
        changes = {"optimizer.learning_rate": 3e-3, "epochs": 20}

        def config(**more):
            found = runs.small_config(self.photographs, **{**changes, **more})
            found.model = ConfigDict(model)
            return found

        experiment.run(config(), self.workdir)
        begun, second = str(self.workdir), self.root / "second"
        model["context"] = 12
        changes |= {"epochs": 1, "trainable": "context"}
        still = {"optimizer.learning_rate": 0.0, "optimizer.schedule": "constant"}
        with self.assertLogs(level="INFO") as logs:
            experiment.run(config(init=begun, **still), second)
        self.assertIn("fitting the context to 6 pictures", str(logs.output))
        first, fitted = store.load(begun), store.load(str(second))
        psnr = [
            weights.card["scores"]["held-out pictures"]["student"]["psnr"]
            for weights in (first, fitted)
        ]
        self.assertGreater(psnr[1], psnr[0] - 0.05)
        gains = fitted.variables["params"]["context"]["gains"]["kernel"]
        self.assertGreater(np.abs(gains).max(), 0.01)
        # What is all that is trained is fitted again.
        begun = str(second)
        experiment.run(config(init=begun, **still), self.root / "again")
        again = store.load(str(self.root / "again")).variables["params"]
        self.assertGreater(np.abs(again["context"]["gains"]["kernel"] - gains).max(), 0)
        with self.assertRaisesRegex(UserError, "unknown layer to train 'conv9'"):
            experiment.run(config(init=begun, trainable="conv9"), self.root / "third")

    @pytest.mark.slow
    def test_rounding_changes_what_is_learned(self):
        learned = []
        for kind in ("", "int8", "int8"):
            self.workdir = self.root / str(len(learned))
            self._run(epochs=1, rounding=kind)
            params = store.load(str(self.workdir)).variables["params"]
            learned.append(np.array(params["conv2"]["kernel"]))
        plain, rounded, again = learned
        np.testing.assert_array_equal(rounded, again)
        self.assertTrue((plain != rounded).any())
        np.testing.assert_allclose(plain, rounded, atol=0.1)

    @pytest.mark.slow
    def test_only_trainable_layers_change(self):
        self._run(epochs=1)
        first = store.load(str(self.workdir))
        begun, self.workdir = self.workdir, self.root / "second"
        self._run(
            **{
                "init": str(begun),
                "trainable": "conv2, conv4",
                "optimizer.rule": "muon",
                "optimizer.weight_decay": 0.5,
            }
        )
        second = store.load(str(self.workdir))
        after = second.variables["params"]
        for layer, weights in first.variables["params"].items():
            same = jax.tree.all(jax.tree.map(np.array_equal, weights, after[layer]))
            self.assertEqual(same, layer not in ("conv2", "conv4"), layer)

    @parameterized.parameters("host", "device")
    @pytest.mark.slow
    def test_paired_sources_are_not_degraded(self, placement):
        pairs = self.root / "pairs"
        for index, path in enumerate(sorted(self.photographs.rglob("*.png"))):
            for side, shade in (("sharp", 1.0), ("blur", 0.5)):
                (pairs / side).mkdir(parents=True, exist_ok=True)
                with Image.open(path) as picture:
                    picture.point(lambda v, s=shade: v * s).save(
                        pairs / side / f"{index}.png"
                    )
        source = {"data.source": f"paired:{pairs}", "data.placement": placement}
        self._run(**source, epochs=3)
        card = store.load(str(self.workdir)).card
        self.assertEqual(card["degradation"], "given with the pictures")
        # The blurred pictures are half as bright, which determines the initial error.
        squares = []
        for path in (pairs / "sharp").iterdir():
            with Image.open(path) as picture:
                squares.append(np.mean((np.asarray(picture) / 255) ** 2))
        mse = card["scores"]["held-out pictures"]["input"]["mse"]
        self.assertGreater(mse, min(squares) / 4 * 0.95)
        self.assertLess(mse, max(squares) / 4 * 1.05)
