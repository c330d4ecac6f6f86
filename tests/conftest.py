"""Eight simulated devices, before JAX computes: tests choose how many they use."""

import jax
from absl import flags

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_num_cpu_devices", 8)

# What `absltest.main` does; pytest has its own command line.
flags.FLAGS.mark_as_parsed()
