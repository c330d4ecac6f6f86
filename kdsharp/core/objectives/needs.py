"""The `@needs` decorator, by which a loss declares what it needs besides the batch.

teacher     a teacher's residual
features    features of the pairs of layers in `config.features`
adapters    the student's features, mapped to a teacher's by trained 1x1 convolutions
views       the augmented views of the batch that `config.views` lists
vgg         VGG16, from the file `config.vgg`
frames      windows of several frames, in the order of time
"""

from collections.abc import Callable
from typing import TypeVar

from kdsharp.base import choices

NEEDS = ("teacher", "features", "adapters", "views", "vgg", "frames")

_declared: dict[Callable, frozenset[str]] = {}

Loss = TypeVar("Loss", bound=Callable)


def needs(*names: str) -> Callable[[Loss], Loss]:
    """Declares what the decorated loss needs."""
    for name in names:
        if name not in NEEDS:
            raise choices.unknown("need", name, NEEDS)

    def declare(loss: Loss) -> Loss:
        _declared[loss] = frozenset(names)
        return loss

    return declare


def of(loss: Callable) -> frozenset[str]:
    """The declared needs of a loss."""
    return _declared.get(loss, frozenset())
