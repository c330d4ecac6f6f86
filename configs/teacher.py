"""The teacher: DnCNN with 17 layers of 64 filters, batch norm after each inner one.

    python -m kdsharp.main --config=configs/teacher.py          # minutes
    python -m kdsharp.main --config=configs/teacher.py:full     # the long run

Any value can be set on the command line, as `--config.batch_size=32`; base.py
documents them.
"""

from ml_collections import ConfigDict

from configs import base


def get_config(variant: str = "quick") -> ConfigDict:
    """Creates the experiment; `variant` is `quick` or `full`."""
    base.check_variant(variant, ("quick", "full"))
    config = base.get_config()
    config.name = "teacher"
    config.model = ConfigDict(base.DNCNN17)
    config.epochs = 4

    if variant == "full":
        config.epochs = 100
        config.optimizer.update(
            rule="adam",
            learning_rate=1e-4,
            weight_decay=1e-5,
            schedule="constant",
            warmup_steps=0,
        )
        config.stopping.patience = 10
    return config
