"""Eight simulated devices, before JAX computes: tests choose how many they use."""

import os

# Most of a small test's time goes into making its code fast. Read when JAX starts.
os.environ["XLA_FLAGS"] = " ".join(
    [
        os.environ.get("XLA_FLAGS", ""),
        "--xla_backend_optimization_level=0",
        "--xla_llvm_disable_expensive_passes=true",
    ]
)

import jax
from absl import flags

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_num_cpu_devices", 8)

# What `absltest.main` does; pytest has its own command line.
flags.FLAGS.mark_as_parsed()
