"""Runs with teachers: features, views, several teachers, self-distillation."""

import unittest
from pathlib import Path

import jax
import numpy as np
import pytest
from absl.testing import absltest, parameterized
from ml_collections import ConfigDict
from safetensors.numpy import save_file

from kdsharp import experiment, models
from kdsharp.core import color, degradations
from kdsharp.data import sources
from kdsharp.errors import UserError
from kdsharp.evaluation import table
from kdsharp.models import vgg
from kdsharp.training import loop, teaching
from kdsharp.weights import store
from tests.export import random_networks
from tests.training import runs

try:
    import torch
except ImportError:
    torch = None


def _save_teacher(path: Path, seed: int, **network) -> str:
    """Writes a teacher whose residual is not zero; returns its path."""
    arguments = {"name": "dncnn", "depth": 3, "width": 12, "norm_after": (), **network}
    model = models.create(**arguments)
    variables = model.init(jax.random.key(0), np.zeros((1, 16, 16, 3), np.float32))
    leaves, tree = jax.tree.flatten(dict(variables))
    rng = np.random.default_rng(seed)
    leaves = [rng.normal(0, 0.05, x.shape).astype(np.float32) for x in leaves]
    store.save(path, jax.tree.unflatten(tree, leaves), {"model": arguments})
    return str(path)


class WindowsTest(absltest.TestCase):
    """Windows of frames, from a source that needs no encoder."""

    class _Windows:
        """Noisy windows of four frames of a still scene."""

        skipped = ()
        smallest = "window", 32, 32
        window = None

        def __len__(self):
            return 16

        def __getitem__(self, index):
            rng = np.random.default_rng(index)
            scene = rng.integers(40, 200, (8, 8, 1)).repeat(4, 0).repeat(4, 1)
            frames = np.broadcast_to(scene, (32, 32, 12))
            noisy = np.clip(frames + rng.normal(0, 8, frames.shape), 0, 255)
            return {
                "key": f"{index}",
                "sharp": frames.astype(np.uint8),
                "blurred": noisy.astype(np.uint8),
            }

    def _gain(self, **changes) -> float:
        """The gain in decibels of a short run on these windows."""
        folder = Path(self.create_tempdir().full_path)
        photographs = runs.write_photographs(folder / "photos", 2)
        config = runs.small_config(
            photographs,
            **{
                "epochs": 60,
                "log_every": 30,
                "objective.psnr": 1.0,
                "optimizer.learning_rate": 3e-3,
            },
        )
        config.model = ConfigDict(
            {"name": "real_time", "channels": 1, "width": 8, "depth": 3, "memory": True}
        )
        config.update_from_flattened_dict(changes)
        workdir = folder / "run"
        workdir.mkdir()
        windows = {split: self._Windows() for split in ("train", "valid")}
        result = loop.Run(config, workdir, sources=windows).train()
        return result.scores["psnr"] - result.input_scores["psnr"]

    @pytest.mark.slow
    def test_a_network_learns_to_remember(self):
        remembering, alone = self._gain(), self._gain(**{"model.memory": False})
        self.assertGreater(alone, 0.5)
        self.assertGreater(remembering, alone + 0.3)

    def test_the_last_frame_of_a_window_is_scored(self):
        arguments = dict(name="real_time", channels=1, width=6, memory=True)
        model, variables = (
            models.create(**arguments),
            random_networks.variables(arguments),
        )
        record = self._Windows()[0]
        rows = table.score(
            [record],
            {"net": experiment.restorer(model, variables)},
            degradations.create("gaussian:1"),
            channels=1,
        )
        frames = color.luma(record["blurred"].reshape(32, 32, 4, 3) / np.float32(255))
        state = None
        for number in range(4):
            frame = frames[None, :, :, number]
            state = models.restore(model, variables, frame, state=state)
            state = np.clip(state, 0, 1)
        sharp = color.luma(record["sharp"][None, ..., -3:] / np.float32(255))
        for name, restored in ((table.INPUT, frames[None, :, :, 3]), ("net", state)):
            wanted = np.mean(np.square(np.clip(restored, 0, 1) - sharp))
            np.testing.assert_allclose(rows[0][name]["mse"], wanted, rtol=1e-3)

    def test_pictures_instead_of_windows_are_a_user_error(self):
        photographs = runs.write_photographs(
            Path(self.create_tempdir().full_path) / "photos"
        )
        pictures = {
            x: sources.create(f"folder:{photographs}", x) for x in ("train", "valid")
        }
        config = runs.small_config(photographs, **{"objective.flicker": 1.0})
        with self.assertRaisesRegex(UserError, "'flicker' needs windows of several"):
            loop.Run(config, Path("unused"), sources=pictures)


class CaptureTest(parameterized.TestCase):
    @unittest.skipIf(torch is None, "PyTorch is not installed")
    def test_captured_features_are_the_layer_s_output(self):
        model = models.create("dncnn", depth=3, width=4, norm_after=())
        x = np.random.default_rng(0).random((1, 8, 8, 3), np.float32)
        variables = model.init(jax.random.key(0), x)
        residual, (first, second), _ = teaching.apply(
            model, variables, x, ["conv1", "conv2"]
        )
        np.testing.assert_allclose(residual, model.apply(variables, x), atol=1e-6)
        tensors = [
            torch.tensor(np.asarray(variables["params"][layer]["kernel"])).permute(
                3, 2, 0, 1
            )
            for layer in ("conv1", "conv2")
        ]
        y = torch.tensor(x).permute(0, 3, 1, 2)
        expected = torch.nn.functional.conv2d(y, tensors[0], padding=1)
        np.testing.assert_allclose(first, expected.permute(0, 2, 3, 1), atol=1e-5)
        expected = torch.nn.functional.conv2d(expected.relu(), tensors[1], padding=1)
        np.testing.assert_allclose(second, expected.permute(0, 2, 3, 1), atol=1e-5)

    def test_pairs_of_layers_are_parsed(self):
        self.assertEqual(
            teaching.parse_layers("conv1:conv2, conv3:up"),
            (("conv1", "conv2"), ("conv3", "up")),
        )
        with self.assertRaisesRegex(UserError, "'conv1' must be pairs"):
            teaching.parse_layers("conv1")


class TeachingTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.root = Path(self.create_tempdir().full_path)
        self.photographs = runs.write_photographs(self.root / "photographs")

    def _run(self, name: str = "run", **changes) -> list[dict]:
        settings = {"objective.mse": 0.0, "epochs": 2, "data.crops_per_picture": 8}
        config = runs.small_config(self.photographs, **{**settings, **changes})
        experiment.run(config, self.root / name)
        return runs.curve(self.root / name)

    def _losses(self, curve: list[dict], term: str) -> list[float]:
        return [r[f"train/{term}"] for r in curve if f"train/{term}" in r]

    @pytest.mark.slow
    def test_features_views_and_several_teachers_at_once(self):
        teachers = [
            _save_teacher(self.root / f"{seed}.safetensors", seed) for seed in (1, 2)
        ]
        curve = self._run(
            **{
                "teacher.weights": ",".join(teachers),
                "teacher.shares": (0.75, 0.25),
                "objective.residual_kd": 1.0,
                "objective.feature_kd": 0.1,
                "objective.affinity_kd": 5.0,
                "objective.views_kd": 0.1,
                "features": "conv1:conv1,conv3:conv2",
                "views": "zoom_in/negative,zoom_out/mirror",
                "epochs": 4,
                "optimizer.learning_rate": 1e-2,
            }
        )
        for term in ("residual_kd", "feature_kd", "affinity_kd", "views_kd"):
            losses = self._losses(curve, term)
            self.assertLess(np.mean(losses[-4:]), np.mean(losses[:4]), term)
        weights = store.load(str(self.root / "run"))
        self.assertEqual(
            set(weights.variables["params"]),
            {f"conv{i}" for i in range(1, 5)} | {"norm2"},
        )
        self.assertLessEqual(
            {"1", "2"}, set(weights.card["scores"]["held-out pictures"])
        )

    @pytest.mark.slow
    def test_student_follows_the_teacher_with_the_larger_share(self):
        teacher = _save_teacher(self.root / "1.safetensors", 1)
        both = f"{teacher},{_save_teacher(self.root / '2.safetensors', 2)}"
        alone = self._run(
            "alone", **{"teacher.weights": teacher, "objective.l1_kd": 1.0}
        )
        first = self._run(
            "first",
            **{
                "teacher.weights": both,
                "teacher.shares": (1.0, 0.0),
                "objective.l1_kd": 1.0,
            },
        )
        np.testing.assert_allclose(
            self._losses(first, "l1_kd"), self._losses(alone, "l1_kd"), rtol=1e-5
        )

    @pytest.mark.slow
    def test_self_distillation_from_the_moving_average(self):
        curve = self._run(
            **{
                "teacher.weights": "self",
                "objective.mse": 1.0,
                "objective.residual_kd": 0.5,
                "optimizer.average": 0.9,
            }
        )
        losses = self._losses(curve, "residual_kd")
        # The student starts at its average and then runs ahead of it.
        self.assertLess(losses[0], 1e-9)
        self.assertGreater(max(losses), 1e-8)

    def test_saved_weights_are_the_moving_average(self):
        settings = {"objective.mse": 1.0, "epochs": 1}
        kept = {}
        for name, decay in (("plain", 0.0), ("average", 0.9)):
            self._run(name, **settings, **{"optimizer.average": decay})
            kept[name] = store.load(str(self.root / name)).variables["params"]
        # The last layer starts at zero, so the average lags behind.
        lengths = {n: np.linalg.norm(p["conv4"]["kernel"]) for n, p in kept.items()}
        self.assertBetween(lengths["average"] / lengths["plain"], 0.1, 0.95)

    @pytest.mark.slow
    def test_perceptual_loss_trains(self):
        rng = np.random.default_rng(0)
        model = vgg.VGG16Features()
        shapes = jax.eval_shape(
            model.init, jax.random.key(0), np.zeros((1, 16, 16, 3), np.float32)
        )
        tensors = {}
        for name, layer in shapes["params"].items():
            scale = np.sqrt(2 / np.prod(layer["kernel"].shape[:3]))
            number = name.removeprefix("conv")
            kernel = rng.normal(0, scale, layer["kernel"].shape).astype(np.float32)
            tensors[f"features.{number}.weight"] = np.ascontiguousarray(
                kernel.transpose(3, 2, 0, 1)
            )
            tensors[f"features.{number}.bias"] = np.zeros(
                layer["bias"].shape, np.float32
            )
        save_file(tensors, self.root / "vgg.safetensors")
        curve = self._run(
            **{
                "objective.perceptual": 1.0,
                "vgg": str(self.root / "vgg.safetensors"),
                "optimizer.learning_rate": 3e-3,
                "epochs": 4,
            }
        )
        losses = self._losses(curve, "perceptual")
        self.assertLess(np.mean(losses[-4:]), np.mean(losses[:4]))

    def _with_a_teacher_of_its_own(self) -> dict:
        """The changes of a config that holds its teacher's whole config."""
        teacher = runs.small_config(
            self.photographs, **{"name": "heavy", "model.width": 12, "epochs": 1}
        )
        return {
            "teacher.experiment": teacher,
            "objective.residual_kd": 1.0,
            "epochs": 1,
        }

    @pytest.mark.slow
    def test_teacher_in_the_config_is_trained_first(self):
        changes = self._with_a_teacher_of_its_own()
        self._run(**changes)
        heavy = self.root / "run" / "teacher" / "heavy.safetensors"
        trained = heavy.stat().st_mtime_ns
        scores = store.load(str(self.root / "run")).card["scores"]["held-out pictures"]
        self.assertEqual(set(scores), {"input", "teacher", "student"})
        self._run(**changes)
        self.assertEqual(heavy.stat().st_mtime_ns, trained)

    @pytest.mark.slow
    def test_teacher_whose_scoring_failed_is_scored_before_the_student(self):
        changes = self._with_a_teacher_of_its_own()
        # The teacher's report cannot be written.
        folder = self.root / "run" / "teacher"
        (folder / "samples.png").mkdir(parents=True)
        with self.assertRaises(IsADirectoryError):
            self._run(**changes)
        self.assertTrue((folder / "heavy.safetensors").exists())
        curve = (folder / "metrics.jsonl").read_bytes()
        (folder / "samples.png").rmdir()
        self._run(**changes)
        self.assertEqual((folder / "metrics.jsonl").read_bytes(), curve)
        self.assertTrue((folder / "report.md").exists())
        self.assertTrue((self.root / "run" / "report.md").exists())

    @pytest.mark.slow
    def test_plateau_lowers_the_learning_rate(self):
        settings = {
            "objective.mse": 1.0,
            "optimizer.learning_rate": 0.0,
            "optimizer.schedule": "plateau:1,0.5",
            "stopping.patience": 2,
            "epochs": 9,
        }
        # At rate 0 the scores do not change, so every evaluation is a plateau.
        with self.assertLogs("kdsharp", "INFO") as logs:
            self._run(**settings)
        lowered = [line for line in logs.output if "rate lowered" in line]
        self.assertRegex(lowered[0], "lowered to 0.5 ")
        self.assertRegex(lowered[1], "lowered to 0.25 ")

    @parameterized.named_parameters(
        (
            "layer",
            {"features": "conv9:conv1", "objective.feature_kd": 1.0},
            "the student has no layer 'conv9'; choose one of: conv1",
        ),
        (
            "teachers_layer",
            {"features": "conv1:norm9", "objective.affinity_kd": 1.0},
            "the teacher has no layer 'norm9'; choose one of: conv1",
        ),
        ("no_layers", {"objective.feature_kd": 1.0}, "'feature_kd' needs config.feat"),
        ("no_views", {"objective.views_kd": 1.0}, "'views_kd' needs config.views"),
        ("idle", {"views": "zoom_in"}, "config.views is given, but no term"),
        ("shares", {"teacher.shares": (0.5, 0.5)}, "2 numbers for 1 teachers"),
        ("average", {"teacher.weights": "self"}, "'self' needs config.optimizer.aver"),
        ("vgg", {"objective.perceptual": 1.0}, "config.vgg is empty: get vgg16"),
        (
            "vgg_file",
            {"objective.perceptual_kd": 1.0, "vgg": "/no/vgg.pth"},
            "names no file .*/no/vgg.pth.*https://",
        ),
        (
            "two_teachers",
            {"teacher.experiment": runs.small_config(Path("elsewhere"))},
            "both weights and an experiment",
        ),
    )
    def test_invalid_teaching_is_a_user_error_and_trains_nothing(
        self, changes, message
    ):
        teacher = _save_teacher(self.root / "1.safetensors", 1)
        settings = {"teacher.weights": teacher, "objective.residual_kd": 1.0}
        with self.assertRaisesRegex(UserError, message):
            self._run(**{**settings, **changes})
        self.assertFalse((self.root / "run" / "metrics.jsonl").exists())


if __name__ == "__main__":
    absltest.main()
