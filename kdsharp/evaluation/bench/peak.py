"""The peak of this machine, as reached by a large float32 matrix product."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

_SIZE = 2048
OPERATIONS = 2 * _SIZE**3


def matrix_product() -> tuple[Callable[[], object], int]:
    """Returns a function that starts the product, and its floating-point operations."""
    matrix = jnp.ones((_SIZE, _SIZE))
    product = jax.jit(jnp.dot)
    return lambda: product(matrix, matrix), OPERATIONS
