"""Batch norm and its gradients, against Flax."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from kdsharp.models.batch_norm import BatchNorm

_SHAPE = (8, 5, 6, 7)


def _inputs(dtype):
    rng = np.random.default_rng(0)
    spread, shift = rng.uniform(0.5, 3, (2, 7))
    x = rng.normal(size=_SHAPE) * spread + shift
    variables = {
        "params": {"scale": rng.normal(size=7), "bias": rng.normal(size=7)},
        "batch_stats": {"mean": rng.normal(size=7), "var": rng.uniform(1, 2, 7)},
    }
    variables = jax.tree.map(lambda v: jnp.asarray(v, jnp.float32), variables)
    return variables, jnp.asarray(x, dtype), rng.normal(size=_SHAPE)


def _flax(variables, x, train):
    norm = nn.BatchNorm(use_running_average=not train, momentum=0.9, dtype=x.dtype)
    return norm.apply(variables, x, mutable=["batch_stats"])


def _ours(variables, x, train, axis_name=None):
    norm = BatchNorm(0.9, x.dtype, axis_name)
    return norm.apply(variables, x, train=train, mutable=["batch_stats"])


def _gradients(apply, variables, x, weights):
    """Gradients of a weighted sum, to the parameters and to the input."""

    def total(params, x):
        result, _ = apply(variables | {"params": params}, x, True)
        return jnp.sum(result.astype(jnp.float32) * weights)

    return jax.grad(total, (0, 1))(variables["params"], x)


def _assert_close(ours, theirs, tolerance):
    for one, other in zip(*map(jax.tree.leaves, (ours, theirs)), strict=True):
        one, other = np.asarray(one, np.float32), np.asarray(other, np.float32)
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


class BatchNormTest(parameterized.TestCase):
    @parameterized.product(
        kind=((jnp.float32, 1e-5), (jnp.bfloat16, 1e-2)), train=(True, False)
    )
    def test_result_and_statistics_equal_flax(self, kind, train):
        dtype, tolerance = kind
        variables, x, _ = _inputs(dtype)
        ours, theirs = _ours(variables, x, train), _flax(variables, x, train)
        self.assertEqual(ours[0].dtype, dtype)
        _assert_close(ours[0], theirs[0], tolerance)
        _assert_close(ours[1], theirs[1], 1e-5)

    @parameterized.parameters((jnp.float32, 1e-4), (jnp.bfloat16, 5e-2))
    def test_gradients_equal_flax(self, dtype, tolerance):
        variables, x, weights = _inputs(dtype)
        ours = _gradients(_ours, variables, x, weights)
        self.assertEqual(ours[1].dtype, dtype)
        _assert_close(ours, _gradients(_flax, variables, x, weights), tolerance)

    def test_sharded_batch_equals_one_device(self):
        variables, x, weights = _inputs(jnp.float32)
        whole = _gradients(_ours, variables, x, weights)

        def part(x, weights):
            def apply(*inputs):
                return _ours(*inputs, axis_name="data")

            params, pixels = _gradients(apply, variables, x, weights)
            return jax.lax.psum(params, "data"), pixels

        split = [np.reshape(a, (4, 2, *_SHAPE[1:])) for a in (x, weights)]
        params, pixels = jax.pmap(part, axis_name="data")(*split)
        _assert_close(jax.tree.map(lambda p: p[0], params), whole[0], 1e-4)
        _assert_close(pixels.reshape(_SHAPE), whole[1], 1e-4)

    def test_initial_variables_equal_flax(self):
        _, x, _ = _inputs(jnp.float32)
        ours = BatchNorm(0.9).init(jax.random.key(0), x, train=True)
        theirs = nn.BatchNorm(use_running_average=False).init(jax.random.key(0), x)
        jax.tree.map(np.testing.assert_array_equal, ours, theirs)


if __name__ == "__main__":
    absltest.main()
