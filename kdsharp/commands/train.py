"""`kdsharp train`: runs one experiment, from its config to its report."""

import json
from collections.abc import Sequence

from kdsharp.config_files import load_experiment


def run(
    config_file: str,
    overrides: Sequence[str],
    *,
    workdir: str | None,
    distributed: bool,
    show: bool,
) -> int:
    """Trains as the config describes; with `show`, only prints the complete config."""
    config = load_experiment(config_file, overrides)
    if show:
        print(json.dumps(json.loads(config.to_json()), indent=2))
        return 0
    from kdsharp import main

    return main.train(config, workdir, distributed=distributed)
