"""Sets up eight simulated devices before JAX starts; tests choose how many to use."""

import os

# Small tests spend most time on compiler optimisations. Read when JAX starts.
os.environ["XLA_FLAGS"] = " ".join(
    [
        os.environ.get("XLA_FLAGS", ""),
        "--xla_backend_optimization_level=0",
        "--xla_llvm_disable_expensive_passes=true",
    ]
)

import jax
import pytest
from absl import flags

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_num_cpu_devices", 8)

# As in `absltest.main`; pytest has its own command line.
flags.FLAGS.mark_as_parsed()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Repeats a slow test that fails, once.

    Slow tests drive browsers, encoders and other processes, which a busy machine can
    starve. The summary lists what passed only when repeated.
    """
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.flaky(reruns=1))
