"""What this machine can do at most: a large float32 matrix product."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

_SIZE = 2048
OPERATIONS = 2 * _SIZE**3


def matrix_product() -> tuple[Callable[[], object], int]:
    """Returns the product, to be waited for, and its floating-point operations."""
    matrix = jnp.ones((_SIZE, _SIZE))
    product = jax.jit(jnp.dot)
    return lambda: product(matrix, matrix), OPERATIONS
