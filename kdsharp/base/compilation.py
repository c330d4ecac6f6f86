"""JAX's persistent compilation cache."""

import warnings

import jax

from kdsharp.base.cache import cache_folder


def enable_cache() -> None:
    """Lets JAX reuse programs that earlier processes compiled."""
    jax.config.update("jax_compilation_cache_dir", str(cache_folder() / "xla"))
    # Initialising parameters compiles many small programs: each is quick, all are not.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    # Without a writable cache the next start is slower; that is no reason to warn.
    warnings.filterwarnings("ignore", "Error .* persistent compilation cache entry")
