from typing import Any

from absl import flags
from ml_collections.config_dict import ConfigDict

def DEFINE_config_dict(
    name: str, config: ConfigDict, help_string: str | None = None, **options: Any
) -> flags.FlagHolder[ConfigDict]: ...
def get_override_values(config: flags.FlagHolder[ConfigDict]) -> dict[str, Any]: ...
