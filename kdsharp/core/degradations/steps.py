"""The base class of degradation steps, and the declaration of their arguments."""

import dataclasses
from collections.abc import Iterable
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from kdsharp.core.degradations.frames import Frame

Drawn = dict[str, Array]


class Range(NamedTuple):
    """The range a number is sampled from; a fixed number has `low == high`."""

    low: float
    high: float

    @property
    def fixed(self) -> bool:
        return self.low == self.high


@dataclasses.dataclass(frozen=True)
class Number:
    """An argument that is a number: its limits, and how it is sampled."""

    low: float
    high: float
    # `uniform`, `log` (log-uniform) or `integer` (uniform, both ends included).
    scale: str = "uniform"

    def draw(self, among: Range, u: Float[Array, ""]) -> Float[Array, ""]:
        """Maps `u`, uniform in [0, 1), to a number in the range."""
        low, high = among
        match self.scale:
            case "log":
                return jnp.clip(low * (high / low) ** u, low, high)
            case "integer":
                return jnp.clip(jnp.floor(low + u * (high - low + 1)), low, high)
        return low + u * (high - low)


@dataclasses.dataclass(frozen=True)
class Word:
    """An argument that is one of some words."""

    among: tuple[str, ...]


def between(low: float, high: float, scale: str = "uniform") -> dict:
    """Field metadata of an argument that is a number or a range."""
    return {"kind": Number(low, high, scale)}


def among(words: Iterable[str]) -> dict:
    """Field metadata of an argument that is one of some words."""
    return {"kind": Word(tuple(words))}


BINARY = among(("0", "1"))


@dataclasses.dataclass(frozen=True)
class Step:
    """A degradation step. Its fields are its arguments, in the order of the spec."""

    # The name in specs; whether the step needs a random seed; whether it resizes, which
    # only works on pictures of full size.
    name: ClassVar[str]
    random: ClassVar[bool] = False
    resizes: ClassVar[bool] = False

    @classmethod
    def arguments(cls) -> dict[str, Number | Word]:
        """The kind of each argument, by name."""
        return {f.name: f.metadata["kind"] for f in dataclasses.fields(cls)}

    def ranges(self) -> dict[str, Range]:
        """The ranges of the arguments that are numbers, by name."""
        return {
            name: getattr(self, name)
            for name, kind in self.arguments().items()
            if isinstance(kind, Number) and getattr(self, name) is not None
        }

    def draw(self, key: Key[Array, ""]) -> Drawn:
        """Samples for one picture the arguments that are ranges, and a seed."""
        kinds = self.arguments()
        drawn = {
            name: kind.draw(among, jax.random.uniform(jax.random.fold_in(key, i)))
            for i, (name, among) in enumerate(self.ranges().items())
            if isinstance(kind := kinds[name], Number)
            if not among.fixed
        }
        if self.random:
            drawn["seed"] = jax.random.bits(jax.random.fold_in(key, len(kinds)))
        return drawn

    def apply(self, frame: Frame, drawn: Drawn) -> Frame:
        """Applies the step; `drawn` holds one value per picture."""
        pictures = frame.planes.shape[0]
        values = {
            name: jnp.full(pictures, among.low) if among.fixed else drawn[name]
            for name, among in self.ranges().items()
        }
        if self.random:
            values["seed"] = drawn["seed"]
        return self._apply(frame, **values)

    def _apply(self, frame: Frame, **values: Array) -> Frame:
        raise NotImplementedError
