"""kdsharp distils large image sharpeners into networks that run in real time.

    import kdsharp

    sharpen = kdsharp.load("rt-s-bicubic2")
    sharp = sharpen(picture)

`picture` is a NumPy array or a Pillow image, and so is the result.

The public names are imported on first use, so that `import kdsharp` does not import
JAX:

- `load` and `Sharpener`: sharpen pictures with trained weights.
- `restore`: apply a Flax network of `models` inside a JAX program.
- `models`, `degradations`, `losses`, `metrics`: the building blocks of training.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kdsharp import models
    from kdsharp.core import degradations, metrics
    from kdsharp.core import objectives as losses
    from kdsharp.models import restore
    from kdsharp.runtime.restore import Sharpener, load

__all__ = [
    "Sharpener",
    "__version__",
    "degradations",
    "load",
    "losses",
    "metrics",
    "models",
    "restore",
]

# The single source of the version: setup.py, --version and exported files read it.
__version__ = "0.2.0"

# The module of each public name, and its attribute there; empty for the module itself.
_LAZY = {
    "Sharpener": ("kdsharp.runtime.restore", "Sharpener"),
    "degradations": ("kdsharp.core.degradations", ""),
    "load": ("kdsharp.runtime.restore", "load"),
    "losses": ("kdsharp.core.objectives", ""),
    "metrics": ("kdsharp.core.metrics", ""),
    "models": ("kdsharp.models", ""),
    "restore": ("kdsharp.models", "restore"),
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'kdsharp' has no attribute {name!r}")
    module, attribute = _LAZY[name]
    value: Any = importlib.import_module(module)
    if attribute:
        value = getattr(value, attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
