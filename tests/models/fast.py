"""`jit` for tests, where compilation takes longer than running."""

import jax

_PLAIN = {
    "xla_backend_optimization_level": 0,
    "xla_llvm_disable_expensive_passes": True,
}


def jit(function):
    """`jax.jit` with fewer optimisations, for faster compilation."""
    return jax.jit(function, compiler_options=_PLAIN)
