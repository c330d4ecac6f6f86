"""Trains: `python -m kdsharp.main --config=configs/student.py`.

Flags become a config, the config goes to one call.
"""

import logging
import os
import sys
from pathlib import Path

from absl import app, flags
from absl import logging as absl_logging
from ml_collections import config_flags

from kdsharp.errors import UserError

_CONFIG = config_flags.DEFINE_config_file(
    "config",
    None,
    "The experiment, such as configs/student.py or configs/student.py:full",
)
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Where the run is kept; runs/NAME if not given"
)


def main(argv: list[str]) -> int:
    """Returns the exit status."""
    del argv
    import jax

    from kdsharp import experiment
    from kdsharp.training import loop

    cache = Path(os.environ.get("KDSHARP_CACHE", Path.home() / ".cache/kdsharp"))
    jax.config.update("jax_compilation_cache_dir", str(cache / "xla"))
    config = _CONFIG.value
    folder = Path(_WORKDIR.value or Path("runs") / config.name)
    try:
        experiment.run(config, folder)
    except UserError as error:
        print(f"kdsharp: {error}", file=sys.stderr)
        return 2
    except (loop.Interrupted, loop.Diverged) as stop:
        print(f"kdsharp: {stop}", file=sys.stderr)
        return stop.exit_status
    return 0


if __name__ == "__main__":
    flags.mark_flag_as_required("config")
    absl_logging.set_verbosity(absl_logging.INFO)
    logging.getLogger("orbax").setLevel(logging.WARNING)
    app.run(main)
