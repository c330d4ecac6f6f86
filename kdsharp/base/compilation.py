"""XLA's cache of compiled programs on disk."""

import warnings

import jax

from kdsharp.base.cache import cache_folder


def enable_cache() -> None:
    """Lets JAX reuse what earlier processes compiled."""
    jax.config.update("jax_compilation_cache_dir", str(cache_folder() / "xla"))
    # However little they take one by one, first parameters are many small programs.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    # Where nothing can be cached, it takes longer the next time: no more than that.
    warnings.filterwarnings("ignore", "Error .* persistent compilation cache entry")
