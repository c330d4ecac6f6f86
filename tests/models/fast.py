"""For tests: most of a small network's time goes into making its code fast."""

import jax

_PLAIN = {
    "xla_backend_optimization_level": 0,
    "xla_llvm_disable_expensive_passes": True,
}


def jit(function):
    """Returns what `jax.jit` does, compiled in less time to slower code."""
    return jax.jit(function, compiler_options=_PLAIN)
