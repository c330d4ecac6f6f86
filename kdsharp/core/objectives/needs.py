"""What a loss term needs beside the batch, declared where the term is defined.

teacher     a teacher's residual
features    the layers that `config.features` pairs, the student's and a teacher's
adapters    the student's features as trained 1x1 convolutions show them to a teacher
views       the batch's other views, as `config.views` names them
vgg         VGG16, as `config.vgg` names its file
"""

from collections.abc import Callable
from typing import TypeVar

from kdsharp.base import choices

NEEDS = ("teacher", "features", "adapters", "views", "vgg")

_declared: dict[Callable, frozenset[str]] = {}

Loss = TypeVar("Loss", bound=Callable)


def needs(*names: str) -> Callable[[Loss], Loss]:
    """Decorate a loss with what it needs."""
    for name in names:
        if name not in NEEDS:
            raise choices.unknown("need", name, NEEDS)

    def declare(loss: Loss) -> Loss:
        _declared[loss] = frozenset(names)
        return loss

    return declare


def of(loss: Callable) -> frozenset[str]:
    """What a loss was declared to need."""
    return _declared.get(loss, frozenset())
