"""What the programs ask of JAX before anything computes."""

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import jax

if TYPE_CHECKING:
    from ml_collections import ConfigDict


def set_up(config: "ConfigDict") -> None:
    """Keeps what is compiled for the next time, and shows each core as a device."""
    # Who only restores pictures need not wait for what trains.
    from kdsharp.training import parallel

    keep_compiled()
    parallel.show_cores(config.batch_size, config.devices)


def keep_compiled() -> None:
    """Lets JAX find the programs of the time before."""
    cache = Path(os.environ.get("KDSHARP_CACHE") or Path.home() / ".cache/kdsharp")
    jax.config.update("jax_compilation_cache_dir", str(cache / "xla"))
    # However little they take one by one, first parameters are many small programs.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    # Where nothing can be kept, it takes longer the next time: no more than that.
    warnings.filterwarnings("ignore", "Error .* persistent compilation cache entry")
