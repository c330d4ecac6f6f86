"""Runs with pictures in device memory, and calls of several steps."""

import signal
import tempfile
from pathlib import Path
from unittest import mock

import jax
import numpy as np
import pytest
from absl.testing import absltest, parameterized

from kdsharp import experiment
from kdsharp.data import sources
from kdsharp.errors import UserError
from kdsharp.training import feeding, loop, parallel
from kdsharp.weights import store
from tests.training import runs

_DEVICE = {"data.placement": "device", "epochs": 2, "data.crops_per_picture": 16}
_STEPS = 24


def _train(photographs: Path, workdir: Path, **changes) -> loop.Result:
    config = runs.small_config(photographs, **changes)
    source = config.data.source
    pictures = {name: sources.create(source, name) for name in ("train", "valid")}
    workdir.mkdir(exist_ok=True)
    return loop.Run(config, workdir, sources=pictures).train()


class PlacementTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._folder = tempfile.TemporaryDirectory()
        cls.root = Path(cls._folder.name)
        cls.photographs = runs.write_photographs(cls.root / "photographs")
        cls.one = cls.root / "one"
        _train(cls.photographs, cls.one, **_DEVICE, steps_per_call=8)

    @classmethod
    def tearDownClass(cls):
        cls._folder.cleanup()
        super().tearDownClass()

    def _folder_for_a_run(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self.root))

    def _losses(self, **changes) -> np.ndarray:
        workdir = self._folder_for_a_run()
        _train(self.photographs, workdir, **_DEVICE, **changes)
        return runs.losses(workdir)

    @parameterized.parameters(
        # A single step per call is a program without a loop, which rounds differently.
        {"steps_per_call": 1},
        {"steps_per_call": 8, "devices": 8},
        {"steps_per_call": 8, "devices": 8, "parallel": "pmap"},
        {"steps_per_call": 1, "devices": 4, "parallel": "pmap"},
    )
    @pytest.mark.slow
    def test_loss_curve_does_not_depend_on_devices_or_calls(self, **changes):
        losses = self._losses(**changes)
        self.assertLen(losses, _STEPS)
        np.testing.assert_allclose(losses, runs.losses(self.one), rtol=2e-3)

    @pytest.mark.slow
    def test_results_do_not_depend_on_where_calls_end(self):
        ended_often = self._folder_for_a_run()
        seldom = self._folder_for_a_run()
        common = {**_DEVICE, "checkpoint_every": 1000}
        first = _train(
            self.photographs, ended_often, **common, steps_per_call=3, log_every=2
        )
        second = _train(
            self.photographs, seldom, **common, steps_per_call=50, log_every=1000
        )
        for one, other in zip(
            *(jax.tree.leaves(r.variables) for r in (first, second)), strict=True
        ):
            np.testing.assert_array_equal(one, other)

    @pytest.mark.slow
    def test_calls_of_several_steps_with_pictures_on_the_host(self):
        folders = [self._folder_for_a_run() for _ in range(2)]
        for folder, steps in zip(folders, (1, 8), strict=True):
            changes = {**_DEVICE, "data.placement": "host", "log_every": 4}
            _train(self.photographs, folder, **changes, steps_per_call=steps)
        one, other = map(runs.losses, folders)
        self.assertLen(one, _STEPS // 4)
        np.testing.assert_allclose(one, other, rtol=2e-3)

    @pytest.mark.slow
    def test_host_and_device_learn_alike(self):
        last = {}
        for placement in ("host", "device"):
            folder = self._folder_for_a_run()
            changes = {
                "data.placement": placement,
                "data.crops_per_picture": 64,
                "optimizer.learning_rate": 3e-3,
                "epochs": 5,
                "steps_per_call": 1,
            }
            result = _train(self.photographs, folder, **changes)
            losses = runs.losses(folder)
            self.assertEqual(result.placement, placement)
            self.assertLess(np.mean(losses[-50:]), 0.9 * np.mean(losses[:10]))
            last[placement] = losses[-100:]
        host, device = last["host"], last["device"]
        # The crops differ, so the means are close but not equal.
        error = np.hypot(*(np.std(x) / np.sqrt(len(x)) for x in (host, device)))
        self.assertLess(abs(np.mean(host) - np.mean(device)), 3 * error)
        self.assertFalse(np.array_equal(host, device))

    @pytest.mark.slow
    def test_shrunk_and_stretched_crops_train_on_the_device(self):
        losses = self._losses(
            **{
                "data.shrink": 0.5,
                "data.extremes": 0.5,
                "data.grid_shift": 4,
                "model.channels": 1,
                "model.mean": (0.4,),
                "steps_per_call": 12,
            }
        )
        self.assertTrue(np.isfinite(losses).all())
        self.assertFalse(np.allclose(losses, runs.losses(self.one)))

    def test_resume_after_interruption_is_bit_identical(self):
        workdir = self._folder_for_a_run()
        config = runs.small_config(self.photographs, **_DEVICE, steps_per_call=8)
        source = config.data.source
        pictures = {name: sources.create(source, name) for name in ("train", "valid")}
        run = loop.Run(config, workdir, sources=pictures)
        told = iter([0] * 5 + [signal.SIGTERM] * 9)
        with (
            mock.patch.object(loop.Run, "_signal", property(lambda _: next(told))),
            self.assertRaisesRegex(loop.Interrupted, "SIGTERM at step"),
        ):
            run.train()
        result = loop.Run(config, workdir, sources=pictures).train()
        self.assertEqual(runs.curve(workdir), runs.curve(self.one))
        self.assertEqual(result.steps, _STEPS)

    @pytest.mark.slow
    def test_non_finite_loss_within_a_call_is_caught(self):
        workdir = self._folder_for_a_run()
        with self.assertRaisesRegex(loop.Diverged, r"step (\d+) is not finite") as got:
            _train(
                self.photographs,
                workdir,
                **_DEVICE,
                steps_per_call=12,
                log_every=12,
                **{
                    "optimizer.learning_rate": 1e30,
                    "optimizer.schedule": "constant",
                },
            )
        step = int(str(got.exception).split()[1])
        self.assertBetween(step, 2, 11)
        kept = (workdir / "checkpoints" / "latest").iterdir()
        self.assertEqual(max(int(p.name) for p in kept if p.name.isdigit()), step - 1)

    @pytest.mark.slow
    def test_card_and_report_describe_the_training(self):
        workdir = self._folder_for_a_run()
        config = runs.small_config(self.photographs, **_DEVICE, steps_per_call=8)
        experiment.run(config, workdir)
        told = store.load(str(workdir)).card["training"]
        self.assertEqual(told["placement"], "device")
        self.assertEqual(told["steps"], _STEPS)
        self.assertEqual(told["steps_per_call"], 8)
        report = (workdir / "report.md").read_text()
        self.assertIn("8 per call, with the pictures on the device", report)


class FeedTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        root = Path(self.create_tempdir().full_path)
        self.photographs = runs.write_photographs(root / "photographs")
        self.source = sources.create(f"folder:{self.photographs}", "train")
        self.devices = parallel.create("jit", 8, 1)

    def _feed(self, **changes) -> feeding.Feed:
        config = runs.small_config(self.photographs, **changes)
        return feeding.create(config, self.source, self.devices)

    def test_error_for_too_little_memory_says_what_fits(self):
        # There are six pictures of 48x48.
        with (
            mock.patch.object(
                feeding, "available_memory", return_value=2.5 * 48 * 48 * 3
            ),
            self.assertRaisesRegex(
                UserError, r"^the 6 pictures take .*: 2 would fit; .*first=2"
            ),
        ):
            self._feed(**{"data.placement": "device"})

    @parameterized.parameters(
        ("cpu", 1e9, "host"), ("gpu", 1e9, "device"), ("gpu", 1e3, "host")
    )
    def test_auto_chooses_accelerators_with_enough_memory(self, platform, free, told):
        with (
            mock.patch.object(type(self.devices), "platform", platform),
            mock.patch.object(feeding, "available_memory", return_value=free),
        ):
            self.assertEqual(self._feed().placement, told)

    def test_unknown_placement_is_a_user_error(self):
        with self.assertRaisesRegex(
            UserError, "'moon'; choose one of: host, device, auto"
        ):
            self._feed(**{"data.placement": "moon"})

    def test_device_and_host_feed_visit_pictures_in_the_same_order(self):
        feed = self._feed(**{"data.placement": "device", "batch_size": 4})
        batches = feed.batches(0)
        visits = [int(i) for _ in range(6) for i in next(batches)["picture"]]
        for turn in range(4):
            self.assertCountEqual(visits[6 * turn : 6 * turn + 6], range(6))
        later = feed.batches(4)
        self.assertEqual(list(next(later)["picture"]), visits[16:20])

    def test_available_memory_is_that_of_the_fullest_device(self):
        def device(**stats):
            return mock.Mock(memory_stats=mock.Mock(return_value=stats))

        held = [
            device(bytes_limit=1000, bytes_in_use=200),
            device(bytes_limit=1000, bytes_in_use=700),
        ]
        self.assertEqual(feeding.available_memory(held), 150)
        self.assertGreater(feeding.available_memory(self.devices.local), 1 << 20)


class MemoryTest(absltest.TestCase):
    def test_out_of_memory_is_a_user_error(self):
        with (
            self.assertRaisesRegex(UserError, "out of memory: lower"),
            loop._explain_memory(),
        ):
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory")


if __name__ == "__main__":
    absltest.main()
