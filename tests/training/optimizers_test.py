"""Optimizers and schedules, against PyTorch and closed forms."""

import unittest

import jax
import numpy as np
import optax
import pytest
from absl.testing import absltest, parameterized
from ml_collections import config_dict

from kdsharp.errors import UserError
from kdsharp.training import optimizers

try:
    import torch
except ImportError:
    torch = None


def _config(**changes):
    config = config_dict.create(
        rule="adam",
        learning_rate=0.1,
        schedule="constant",
        warmup_steps=0,
        weight_decay=0.0,
        clip_norm=0.0,
        accumulate=1,
        average=0.0,
    )
    config.update(changes)
    return config


def _rates(steps=12, steps_per_epoch=2, **changes) -> list[float]:
    schedule = optimizers.create_schedule(_config(**changes), steps, steps_per_epoch)
    return [float(schedule(step)) for step in range(steps)]


def _descend(gradients, **changes) -> np.ndarray:
    """The parameter after a sequence of gradients, starting from one."""
    optimizer = optimizers.create(_config(**changes), len(gradients), 2)
    params = np.ones(gradients.shape[1:], np.float32)
    state = optimizer.init(params)
    update = jax.jit(optimizer.update)
    for gradient in gradients:
        updates, state = update(gradient, state, params)
        params = optax.apply_updates(params, updates)
    return np.asarray(params)


def _descend_with_torch(gradients, clip_norm=None, **options) -> np.ndarray:
    params = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.Adam([params], lr=0.1, **options)
    for gradient in gradients:
        params.grad = torch.tensor(gradient)
        if clip_norm:
            torch.nn.utils.clip_grad_norm_([params], clip_norm)
        optimizer.step()
    return params.detach().numpy()


def _gradients(count: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, 3)).astype(np.float32)


class OptimizersTest(parameterized.TestCase):
    @unittest.skipIf(torch is None, "PyTorch is not installed")
    def test_adam_equals_pytorch(self):
        gradients = _gradients(5)
        np.testing.assert_allclose(
            _descend(gradients, weight_decay=0.1),
            _descend_with_torch(gradients, weight_decay=0.1),
            rtol=1e-5,
        )

    def test_gradients_are_clipped_by_norm(self):
        gradients = _gradients(5) * np.asarray([[9], [1], [0.1], [5], [1]], np.float32)
        np.testing.assert_allclose(
            _descend(gradients, clip_norm=0.5),
            _descend_with_torch(gradients, clip_norm=0.5),
            rtol=1e-4,
        )

    @pytest.mark.slow
    def test_accumulated_gradients_make_one_update(self):
        gradients = _gradients(6)
        np.testing.assert_allclose(
            _descend(gradients, accumulate=3),
            _descend_with_torch(gradients.reshape(2, 3, 3).mean(1)),
            rtol=1e-5,
        )

    def test_cosine_schedule_with_warmup(self):
        rates = _rates(schedule="cosine", warmup_steps=4)
        np.testing.assert_allclose(rates[:5], [0, 0.025, 0.05, 0.075, 0.1], rtol=1e-6)
        falling = [0.05 * (1 + np.cos(np.pi * k / 8)) for k in range(8)]
        np.testing.assert_allclose(rates[4:], falling, rtol=1e-5)

    def test_step_schedule_decays_every_few_epochs(self):
        rates = _rates(schedule="step:2,0.5")
        np.testing.assert_allclose(rates, np.repeat([0.1, 0.05, 0.025], 4), rtol=1e-6)

    def test_warmup_precedes_any_schedule(self):
        rates = _rates(schedule="constant", warmup_steps=2)
        np.testing.assert_allclose(rates, [0, 0.05] + [0.1] * 10, rtol=1e-6)

    def test_schedule_does_not_depend_on_accumulation(self):
        rates = _rates(schedule="step:2,0.5", accumulate=2)
        np.testing.assert_allclose(rates, np.repeat([0.1, 0.05, 0.025], 4), rtol=1e-6)

    @parameterized.parameters("linear", "step:3", "step:a,b", "plateau", "constant:1,2")
    def test_unknown_schedule_is_a_user_error(self, schedule):
        with self.assertRaisesRegex(
            UserError, f"'{schedule}'; choose one of: constant"
        ):
            _rates(schedule=schedule)

    @parameterized.parameters("step:0,0.5", "plateau:2,1.5")
    def test_schedule_with_invalid_numbers_is_a_user_error(self, schedule):
        with self.assertRaisesRegex(UserError, "between 0 and 1"):
            _rates(schedule=schedule)

    def test_accumulate_0_is_a_user_error(self):
        with self.assertRaisesRegex(UserError, "accumulate must be at least 1, not 0"):
            _rates(accumulate=0)


class MuonTest(parameterized.TestCase):
    @parameterized.parameters(0.0, 0.5)
    @unittest.skipIf(torch is None, "PyTorch is not installed")
    @pytest.mark.slow
    def test_muon_equals_pytorch(self, decay):
        gradients = np.random.default_rng(0).normal(size=(8, 48, 12))
        gradients = np.asarray(gradients + gradients[:1], np.float32)
        ours = _descend(gradients, rule="muon", weight_decay=decay) - 1
        params = torch.nn.Parameter(torch.ones(48, 12))
        optimizer = torch.optim.Muon(
            [params], lr=0.1, weight_decay=decay, adjust_lr_fn="match_rms_adamw"
        )
        for gradient in gradients:
            params.grad = torch.tensor(gradient)
            optimizer.step()
        theirs = params.detach().numpy() - 1
        # PyTorch's iterates in bfloat16, without bias correction of the momentum.
        apart = np.linalg.norm(ours - theirs) / np.linalg.norm(theirs)
        self.assertLess(apart, 0.08)

    def test_singular_values_of_an_update_are_similar(self):
        gradient = np.random.default_rng(0).normal(size=(3, 3, 16, 24))
        gradient = np.asarray(gradient * np.geomspace(0.01, 1, 24), np.float32)
        step = _descend(gradient[None], rule="muon").reshape(-1, 24) - 1
        values = np.linalg.svd(step / (0.1 * 0.2 * np.sqrt(9 * 16)), compute_uv=False)
        self.assertBetween(values.min(), 0.5, 1)
        self.assertBetween(values.max(), 1, 1.3)

    @parameterized.parameters(((16,),), ((3, 3, 4, 16),), ((3, 3, 16, 4),))
    def test_other_parameters_use_adam_at_a_third_of_the_rate_without_decay(
        self, shape
    ):
        gradients = np.random.default_rng(0).normal(size=(5, *shape)).astype(np.float32)
        adam = optax.adam(0.1 / 3, nesterov=True)
        params = np.ones(shape, np.float32)
        state = adam.init(params)
        for gradient in gradients:
            updates, state = adam.update(gradient, state)
            params = optax.apply_updates(params, updates)
        np.testing.assert_allclose(
            _descend(gradients, rule="muon", weight_decay=0.5),
            params,
            rtol=1e-4,
            atol=1e-6,
        )

    @pytest.mark.slow
    def test_packing_does_not_change_updates(self):
        rng = np.random.default_rng(0)
        shapes = [(3, 3, 16, 16)] * 3 + [(16,)] * 3 + [(3, 3, 8, 16), (3, 3, 16, 3)]
        gradients = [rng.normal(size=(3, *s)).astype(np.float32) for s in shapes]
        optimizer = optimizers.create(_config(rule="muon", weight_decay=0.1), 3, 2)
        params = [np.ones(s, np.float32) for s in shapes]
        state = optimizer.init(params)
        for step in range(3):
            updates, state = optimizer.update(
                [g[step] for g in gradients], state, params
            )
            params = optax.apply_updates(params, updates)
        for gradient, ours in zip(gradients, params, strict=True):
            alone = _descend(gradient, rule="muon", weight_decay=0.1)
            np.testing.assert_allclose(ours, alone, rtol=1e-4, atol=1e-5)

    def test_unknown_rule_is_a_user_error(self):
        with self.assertRaisesRegex(
            UserError, "unknown optimizer rule 'sgd'; choose one of: a"
        ):
            _descend(_gradients(1), rule="sgd")


class PlateauTest(parameterized.TestCase):
    # PyTorch waits for one evaluation more than its patience.
    @parameterized.parameters(
        ("psnr", "max", [30, 31, 31, 30.5, 32, 31, 31, 31, 31, 33]),
        ("mse", "min", [0.3, 0.2, 0.3, 0.3, 0.1, 0.1, 0.1, 0.05, 0.06, 0.07]),
    )
    @unittest.skipIf(torch is None, "PyTorch is not installed")
    def test_plateau_equals_pytorch(self, metric, mode, scores):
        plateau = optimizers.Plateau(_config(schedule="plateau:2,0.5"), metric)
        theirs = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0)
        reference = torch.optim.lr_scheduler.ReduceLROnPlateau(
            theirs, mode, factor=0.5, patience=1, threshold=0.0
        )
        for score in scores:
            reference.step(score)
            scale = plateau.update({metric: score})
            self.assertAlmostEqual(scale, theirs.param_groups[0]["lr"])
        self.assertLess(scale, 1)

    def test_plateau_continues_from_its_state_dict(self):
        config, scores = _config(schedule="plateau:2,0.5"), [3, 2, 2, 1, 1, 4, 3, 3]
        whole = optimizers.Plateau(config, "psnr")
        scales = [whole.update({"psnr": score}) for score in scores]
        halves = [optimizers.Plateau(config, "psnr") for _ in range(2)]
        for score in scores[:3]:
            halves[0].update({"psnr": score})
        halves[1].load_state_dict(halves[0].state_dict())
        rest = [halves[1].update({"psnr": score}) for score in scores[3:]]
        self.assertEqual(rest, scales[3:])

    def test_other_schedules_have_no_plateau(self):
        plateau = optimizers.Plateau(_config(), "psnr")
        self.assertEqual([plateau.update({"psnr": 1.0}) for _ in range(5)], [1.0] * 5)
        plateau.load_state_dict(plateau.state_dict())


if __name__ == "__main__":
    absltest.main()
