"""Results on one device and on eight are equal, under `jit` and `pmap`."""

from functools import partial

import jax
import numpy as np
import optax
import pytest
from absl.testing import parameterized

from kdsharp import models
from kdsharp.core import degradations, objectives
from kdsharp.errors import UserError
from kdsharp.training import parallel
from kdsharp.training.state import create_state, init_variables
from kdsharp.training.step import Task, train_step
from kdsharp.training.teaching import Teaching

_STEPS = 6
_BATCH = 8
_NETWORK = {"depth": 4, "width": 8, "norm_after": "inner"}


def _batches() -> list[dict]:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (_STEPS, _BATCH, 6, 6, 3), np.uint8)
    return [{"sharp": b.repeat(4, axis=1).repeat(4, axis=2)} for b in coarse]


def _noise(keys, sharp):
    def one(key, picture):
        return picture + jax.random.normal(key, picture.shape)

    return jax.vmap(one)(keys, sharp)


def _train(
    way, device_count, *, dtype="float32", degrade=None, rate=0.1, rounded=False
):
    """Runs some distillation steps; returns the losses and the final state."""
    devices = parallel.create(way, _BATCH, device_count)
    teacher = models.create("dncnn", **_NETWORK, dtype=dtype)
    task = Task(
        model=models.create(
            "dncnn", **_NETWORK, dtype=dtype, axis_name=devices.axis_name
        ),
        channels=3,
        objective=objectives.create({"mse": 0.5, "residual_kd": 1.0}, [1.0]),
        degrade=degrade or degradations.create("bicubic:2"),
        # Not Adam, whose first steps depend only on the sign of the gradient, so that
        # rounding errors of near-zero gradients would make full steps.
        optimizer=optax.sgd(rate, momentum=0.9),
        teaching=Teaching((teacher,)),
        seed=0,
        rounded=rounded,
    )
    step = devices.compile(partial(train_step, task))
    state = create_state(init_variables(teacher, 3, jax.random.key(0)), task.optimizer)
    state = devices.replicate(state)
    frozen = {"teachers": [init_variables(teacher, 3, jax.random.key(1))]}
    frozen = devices.replicate(frozen)
    losses = []
    for batch in _batches():
        state, metrics = step(state, frozen, devices.shard(batch))
        losses.append(float(devices.to_host(metrics)["mse"]))
    return np.asarray(losses), devices.to_host(state)


class ParallelTest(parameterized.TestCase):
    @parameterized.parameters(("jit", 8), ("pmap", 1), ("pmap", 8))
    @pytest.mark.slow
    def test_devices_do_not_change_the_run(self, way, device_count):
        losses, state = _train("jit", 1)
        self.assertLess(losses[-1], losses[0])
        others, other = _train(way, device_count)
        np.testing.assert_allclose(others, losses, rtol=1e-5)
        paths = jax.tree_util.tree_leaves_with_path(state)
        for (path, leaf), twin in zip(paths, jax.tree.leaves(other), strict=True):
            np.testing.assert_allclose(
                twin, leaf, rtol=1e-3, atol=1e-5, err_msg=jax.tree_util.keystr(path)
            )

    @pytest.mark.slow
    def test_all_devices_round_to_the_same_levels(self):
        losses, _ = _train("jit", 1, rounded=True)
        others, _ = _train("pmap", 8, rounded=True)
        # Levels of each device's own pictures would differ by 1e-5 and more.
        np.testing.assert_allclose(others, losses, rtol=3e-6)

    @parameterized.parameters(("jit", 8), ("pmap", 8))
    @pytest.mark.slow
    def test_degradation_of_a_picture_does_not_depend_on_its_device(
        self, way, device_count
    ):
        # At rate 0 the network returns its input, so the loss is that of the noise.
        losses, _ = _train("jit", 1, degrade=_noise, rate=0.0)
        np.testing.assert_allclose(losses, 1.0, rtol=0.05)
        self.assertLen(set(losses), _STEPS)
        others, _ = _train(way, device_count, degrade=_noise, rate=0.0)
        np.testing.assert_allclose(others, losses, rtol=1e-6)

    def test_bfloat16_keeps_parameters_and_statistics_in_float32(self):
        losses, state = _train("jit", 1, dtype="bfloat16")
        reference, _ = _train("jit", 1)
        kinds = {str(x.dtype) for x in jax.tree.leaves(state.variables)}
        self.assertEqual(kinds, {"float32"})
        self.assertFalse(np.array_equal(losses, reference))
        np.testing.assert_allclose(losses, reference, rtol=0.05)

    @parameterized.parameters(
        ("jit", 12, 8, "batch_size 12 does not divide by 8 devices"),
        ("pmap", 12, 8, "batch_size 12 does not divide by 8 devices"),
        ("jit", 90, 9, "9 devices requested, but there are 8"),
        ("tpu", 8, 8, "unknown parallel 'tpu'; choose one of: jit, pmap"),
    )
    def test_invalid_devices_are_a_user_error(self, way, batch, count, message):
        with self.assertRaisesRegex(UserError, message):
            parallel.create(way, batch, count)
