"""Checks configs: all entries present, of the right type, and in range.

Names (of networks, terms, schedules, ...) are checked where they are used.
"""

import dataclasses
import difflib
import math
import numbers
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from kdsharp.errors import UserError

if TYPE_CHECKING:
    from ml_collections import ConfigDict


class _Check(Protocol):
    def fault(self, value: Any) -> str:
        """What is wrong with a value, or nothing."""
        ...


@dataclasses.dataclass(frozen=True)
class _Text:
    def fault(self, value: object) -> str:
        return "" if isinstance(value, str) else "must be text"


@dataclasses.dataclass(frozen=True)
class _Number:
    minimum: float = -math.inf
    maximum: float = math.inf
    below: float = math.inf
    kind: type = numbers.Real
    noun: str = "a number"

    def fault(self, value: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, self.kind):
            return f"must be {self.noun}"
        if not math.isfinite(value):
            return "must be finite"
        if self.minimum <= value <= self.maximum and value < self.below:
            return ""
        if self.below < math.inf:
            return f"must be at least {self.minimum} and less than {self.below}"
        if self.maximum < math.inf:
            return f"must be from {self.minimum} to {self.maximum}"
        return f"must be at least {self.minimum}"


@dataclasses.dataclass(frozen=True)
class _Numbers:
    def fault(self, value: object) -> str:
        fine = isinstance(value, tuple | list) and not any(map(_Number().fault, value))
        return "" if fine else "must be a tuple of numbers"


@dataclasses.dataclass(frozen=True)
class _Group:
    """A group of entries; `more` is the check of entries that are not listed."""

    entries: Mapping[str, _Check]
    more: _Check | None = None
    optional: tuple[str, ...] = ()

    def fault(self, value: object) -> str:
        return "" if isinstance(value, Mapping) else "must be a group of entries"


@dataclasses.dataclass(frozen=True)
class _Anything:
    def fault(self, value: object) -> str:
        return ""


def _whole(minimum: int, maximum: float = math.inf) -> _Number:
    return _Number(minimum, maximum, kind=numbers.Integral, noun="a whole number")


_SHARE = _Number(0, 1)
_EXPERIMENT = _Group(
    {
        "name": _Text(),
        "seed": _whole(0, 2**32 - 1),
        "model": _Group({"name": _Text(), "channels": _whole(1)}, more=_Anything()),
        "teacher": _Group(
            {"weights": _Text(), "shares": _Numbers(), "experiment": _Anything()},
            optional=("experiment",),
        ),
        "init": _Text(),
        "trainable": _Text(),
        "objective": _Group({}, more=_Number()),
        "features": _Text(),
        "views": _Text(),
        "vgg": _Text(),
        "degradation": _Text(),
        "data": _Group(
            {
                "source": _Text(),
                "licence": _Text(),
                "patch_size": _whole(1),
                "grid_shift": _whole(0),
                "crops_per_picture": _whole(1),
                "augment": _Text(),
                "shrink": _SHARE,
                "extremes": _SHARE,
                "workers": _whole(0),
                "placement": _Text(),
            }
        ),
        "batch_size": _whole(1),
        "epochs": _whole(1),
        "budget": _Text(),
        "optimizer": _Group(
            {
                "rule": _Text(),
                "learning_rate": _Number(0),
                "schedule": _Text(),
                "warmup_steps": _whole(0),
                "weight_decay": _Number(0),
                "clip_norm": _Number(0),
                "accumulate": _whole(1),
                "average": _Number(0, below=1),
            }
        ),
        "stopping": _Group({"metric": _Text(), "patience": _whole(0)}),
        "validation": _Group({"size": _whole(1), "pictures": _whole(1)}),
        "log_every": _whole(1),
        "checkpoint_every": _whole(1),
        "steps_per_call": _whole(0),
        "parallel": _Text(),
        "devices": _whole(0),
        "dtype": _Text(),
        "rounding": _Text(),
        "profile": _Text(),
        "writers": _Text(),
    }
)
_ABLATION = _Group(
    {
        "experiment": _Text(),
        "seeds": _Numbers(),
        "steps": _whole(1),
        "evaluations": _whole(1),
        "common": _Group({}, more=_Anything()),
        "baseline": _Text(),
        "methods": _Group({}, more=_Group({}, more=_Anything())),
    }
)


def check(config: "ConfigDict") -> None:
    """Raises a UserError that names each fault of an experiment's config."""
    if "methods" in config:
        raise UserError(
            "this is the config of an ablation; run it with 'kdsharp ablate'"
        )
    _raise(_faults(config.to_dict(), _EXPERIMENT))


def check_ablation(plan: "ConfigDict") -> None:
    """Raises a UserError that names each fault of an ablation's plan."""
    _raise(_faults(plan.to_dict(), _ABLATION))
    if not plan.seeds:
        raise UserError("config.seeds must have at least one seed")
    if plan.baseline not in plan.methods:
        raise UserError(
            f"config.baseline {plan.baseline!r} must be one of config.methods: "
            f"{', '.join(plan.methods)}"
        )


def unknown(name: str, known: "ConfigDict | Mapping") -> str:
    """The message for an unknown entry, with a suggestion if there is a similar one."""
    close = difflib.get_close_matches(name, _names(known), n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"the config has no entry {name!r}{hint}"


def _raise(faults: Iterator[str]) -> None:
    if sentence := "; ".join(faults):
        raise UserError(sentence)


def _faults(config: Mapping, group: _Group, prefix: str = "") -> Iterator[str]:
    missing = [
        prefix + name
        for name in group.entries
        if name not in config and name not in group.optional
    ]
    if missing:
        yield f"the config lacks {', '.join(missing)} (see configs/base.py)"
    for name in config:
        path, value = prefix + name, config[name]
        check = group.entries.get(name, group.more)
        if check is None:
            yield unknown(path, {prefix + entry: 0 for entry in group.entries})
        elif fault := check.fault(value):
            yield f"config.{path} {fault}, not {value!r}"
        elif isinstance(check, _Group):
            yield from _faults(value, check, f"{path}.")
        elif path == "teacher.experiment" and value:
            yield from _faults(value, _EXPERIMENT, f"{path}.")


def _names(known: "ConfigDict | Mapping", prefix: str = "") -> Iterator[str]:
    for name in known:
        yield prefix + name
        if hasattr(known[name], "keys"):
            yield from _names(known[name], f"{prefix}{name}.")
