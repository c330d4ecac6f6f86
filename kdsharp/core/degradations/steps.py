"""What a step of a degradation is: its arguments, what it draws, what it does."""

import dataclasses
from collections.abc import Iterable
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from kdsharp.core.degradations.frames import Frame

Drawn = dict[str, Array]


class Range(NamedTuple):
    """Where a number is drawn from; a number that is given is a range of one."""

    low: float
    high: float

    @property
    def fixed(self) -> bool:
        return self.low == self.high


@dataclasses.dataclass(frozen=True)
class Number:
    """How an argument is drawn from its range, and what it may be."""

    low: float
    high: float
    # `uniform`; `log`, where equal ratios are equally likely; `integer`, both ends in.
    scale: str = "uniform"

    def draw(self, among: Range, u: Float[Array, ""]) -> Float[Array, ""]:
        """The number at the quantile `u`, which is uniform in [0, 1)."""
        low, high = among
        match self.scale:
            case "log":
                return jnp.clip(low * (high / low) ** u, low, high)
            case "integer":
                return jnp.clip(jnp.floor(low + u * (high - low + 1)), low, high)
        return low + u * (high - low)


@dataclasses.dataclass(frozen=True)
class Word:
    """The words an argument may be."""

    among: tuple[str, ...]


def between(low: float, high: float, scale: str = "uniform") -> dict:
    """The metadata of a field that is a number or a range."""
    return {"kind": Number(low, high, scale)}


def among(words: Iterable[str]) -> dict:
    """The metadata of a field that is one of some words."""
    return {"kind": Word(tuple(words))}


BINARY = among(("0", "1"))


@dataclasses.dataclass(frozen=True)
class Step:
    """One loss on the way. Its fields are its arguments, in the order of the spec."""

    # How the spec calls it; whether it draws more than its arguments; whether it is
    # a change of size, which takes pictures of full size alone.
    name: ClassVar[str]
    random: ClassVar[bool] = False
    resizes: ClassVar[bool] = False

    @classmethod
    def arguments(cls) -> dict[str, Number | Word]:
        """What each argument may be."""
        return {f.name: f.metadata["kind"] for f in dataclasses.fields(cls)}

    def ranges(self) -> dict[str, Range]:
        """The numbers among the arguments."""
        return {
            name: getattr(self, name)
            for name, kind in self.arguments().items()
            if isinstance(kind, Number) and getattr(self, name) is not None
        }

    def draw(self, key: Key[Array, ""]) -> Drawn:
        """Draw the arguments that the spec leaves open, for one picture."""
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
        """Apply the step; `drawn` holds a value for each picture."""
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
