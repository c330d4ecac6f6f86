"""The parser of degradation specs, and the functions that they describe."""

import dataclasses
import functools
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from kdsharp.core.degradations import blurs, halo, jpeg, noise, resampling
from kdsharp.core.degradations.frames import Frame
from kdsharp.core.degradations.rounding import to_8_bits
from kdsharp.core.degradations.steps import Drawn, Number, Range, Step, Word
from kdsharp.errors import UserError

STEPS: dict[str, type[Step]] = {
    step.name: step
    for step in (
        resampling.Bicubic,
        resampling.Bilinear,
        resampling.Area,
        resampling.Lanczos,
        resampling.Down,
        resampling.Up,
        blurs.Gaussian,
        blurs.Defocus,
        blurs.Motion,
        blurs.Shake,
        noise.Noise,
        noise.Shot,
        jpeg.Jpeg,
        halo.Halo,
    )
}

# Named compositions and their specs.
NAMED: dict[str, str] = {
    # A face in a video call over a poor network.
    "video_call": (
        "down:1-4+motion:0-6/defocus:0.5-2+noise:0-0.03+jpeg:20-90+up:bilinear"
    ),
    # A slightly soft photograph, as a phone stores it.
    "photo": "gaussian:0.4-2.5/defocus:0.5-3+noise:0-0.01+jpeg:50-95",
    # A hand-held photograph in poor light.
    "camera": "shake:1-20,linear=1/defocus:0.5-4,linear=1+shot:100-2000+jpeg:70-95",
}

_NUMBER = r"-?(?:\d+\.?\d*|\.\d+)"
_RANGE = re.compile(rf"({_NUMBER})(?:-({_NUMBER}))?")


@dataclasses.dataclass(frozen=True)
class Node:
    """A step of a spec: one of several alternatives, applied with a probability."""

    label: str
    alternatives: tuple["Leaf | Chain", ...]
    probability: float

    def draw(self, key: Key[Array, ""]) -> Drawn:
        """Samples the random parameters of one picture."""
        drawn = {}
        happens, choice, *keys = jax.random.split(key, 2 + len(self.alternatives))
        if self.probability < 1:
            drawn[f"{self.label}.happens"] = jax.random.bernoulli(
                happens, self.probability
            )
        if len(self.alternatives) > 1:
            drawn[f"{self.label}.choice"] = jax.random.randint(
                choice, (), 0, len(self.alternatives)
            )
        for alternative, own in zip(self.alternatives, keys, strict=True):
            drawn |= alternative.draw(own)
        return drawn

    def apply(self, frame: Frame, drawn: Mapping[str, Array]) -> Frame:
        """Applies to each picture its sampled alternative, or nothing."""
        # All alternatives are computed for all pictures: on an accelerator, branching
        # per picture would not be cheaper.
        after = self.alternatives[0].apply(frame, drawn)
        for i, alternative in enumerate(self.alternatives[1:], start=1):
            chosen = drawn[f"{self.label}.choice"] == i
            after = _where(chosen, alternative.apply(frame, drawn), after)
        if self.probability < 1:
            after = _where(drawn[f"{self.label}.happens"], after, frame)
        return after

    def describe(self, drawn: Mapping[str, np.ndarray], i: int) -> Iterator[str]:
        """Yields the specs of the steps that picture `i` goes through."""
        if self.probability == 1 or drawn[f"{self.label}.happens"][i]:
            choice = drawn.get(f"{self.label}.choice")
            chosen = self.alternatives[0 if choice is None else int(choice[i])]
            yield from chosen.describe(drawn, i)


def _where(which: Array, after: Frame, before: Frame) -> Frame:
    which = which[:, None, None, None]
    return after._replace(planes=jnp.where(which, after.planes, before.planes))


@dataclasses.dataclass(frozen=True)
class Leaf:
    """A step with a label that is unique within its spec."""

    label: str
    step: Step

    def draw(self, key: Key[Array, ""]) -> Drawn:
        """Samples the step's arguments, named `LABEL.ARGUMENT`."""
        drawn = self.step.draw(key)
        return {f"{self.label}.{name}": value for name, value in drawn.items()}

    def apply(self, frame: Frame, drawn: Mapping[str, Array]) -> Frame:
        return self.step.apply(frame, self._own(drawn))

    def describe(self, drawn: Mapping[str, np.ndarray], i: int) -> Iterator[str]:
        """Yields the spec of the step, with sampled numbers in place of ranges."""
        own = self._own(drawn)
        ranges = self.step.ranges()
        written = []
        for at, field in enumerate(dataclasses.fields(self.step)):
            value = getattr(self.step, field.name)
            if field.name in ranges:
                value = (
                    f"{float(own[field.name][i] if not value.fixed else value.low):.3g}"
                )
            elif value == field.default:
                continue
            written.append(value if at == 0 else f"{field.name}={value}")
        yield self.step.name + (":" + ",".join(written) if written else "")

    def _own(self, drawn: Mapping) -> dict:
        prefix = f"{self.label}."
        return {
            name.removeprefix(prefix): value
            for name, value in drawn.items()
            if name.startswith(prefix)
        }


@dataclasses.dataclass(frozen=True)
class Chain:
    """Nodes that are applied in order."""

    nodes: tuple[Node, ...]

    def draw(self, key: Key[Array, ""]) -> Drawn:
        """Samples the random parameters of one picture."""
        drawn = {}
        for i, node in enumerate(self.nodes):
            drawn |= node.draw(jax.random.fold_in(key, i))
        return drawn

    def apply(self, frame: Frame, drawn: Mapping[str, Array]) -> Frame:
        """Applies all nodes in order."""
        for node in self.nodes:
            frame = node.apply(frame, drawn)
        return frame

    def describe(self, drawn: Mapping[str, np.ndarray], i: int) -> Iterator[str]:
        """Yields the specs of the steps that picture `i` goes through."""
        for node in self.nodes:
            yield from node.describe(drawn, i)


@dataclasses.dataclass(frozen=True)
class Degradation:
    """A function `(keys, sharp) -> blurred`, with one random key per picture."""

    spec: str
    chain: Chain = dataclasses.field(repr=False)

    def __call__(
        self, keys: Key[Array, " b"], sharp: Float[Array | np.ndarray, "b h w c"]
    ) -> Float[Array, "b h w c"]:
        """Degrades the pictures; rounds to 8 bits unless the last step is exact."""
        return self.apply(self.draw(keys), sharp)

    @functools.partial(jax.jit, static_argnums=0)
    def draw(self, keys: Key[Array, " b"]) -> Drawn:
        """Samples the random parameters of each picture, named `STEP.ARGUMENT`."""
        return jax.vmap(self.chain.draw)(keys)

    @functools.partial(jax.jit, static_argnums=0)
    def apply(
        self, parameters: Mapping[str, Array], sharp: Float[Array, "b h w c"]
    ) -> Float[Array, "b h w c"]:
        """Degrades the pictures with parameters from `draw`."""
        planes = sharp.transpose(0, 3, 1, 2)
        height, width = planes.shape[2:]
        frame = Frame(planes, None, (height, width))
        blurred = self.chain.apply(frame, parameters).planes
        if not _is_exact(self.chain):
            blurred = to_8_bits(blurred)
        return blurred.transpose(0, 2, 3, 1)

    @property
    def factor(self) -> int:
        """Sizes that are multiples of this are downscaled to whole pixels."""
        return math.lcm(*_factors(self.chain))

    def describe(self, parameters: Mapping[str, Array], index: int = 0) -> str:
        """The spec of one picture's degradation: numbers in place of ranges."""
        drawn = {name: np.asarray(value) for name, value in parameters.items()}
        return "+".join(self.chain.describe(drawn, index)) or "nothing"


def _is_exact(part: Node | Leaf | Chain) -> bool:
    """Whether the last step may produce values that are not 8-bit."""
    match part:
        case Leaf(step=step):
            return getattr(step, "exact", "0") == "1"
        case Chain(nodes=nodes):
            return _is_exact(nodes[-1])
        case Node(alternatives=alternatives):
            return any(map(_is_exact, alternatives))


def _factors(part: Node | Leaf | Chain) -> Iterator[int]:
    match part:
        case Leaf(step=step):
            factor = getattr(step, "factor", None) if step.resizes else None
            if factor and factor.fixed and factor.low == int(factor.low):
                yield int(factor.low)
        case Chain(nodes=parts) | Node(alternatives=parts):
            for inner in parts:
                yield from _factors(inner)


def create(spec: str) -> Degradation:
    """Parses a spec such as `bicubic:2`."""
    return Degradation(spec, _chain(spec, Counter()))


def _chain(spec: str, seen: Counter) -> Chain:
    if strange := set(spec) & set("|()"):
        raise UserError(
            f"degradation {spec!r} has {min(strange)!r}, which is not in the grammar: "
            "steps are joined by '+', alternatives by '/'"
        )
    small = None
    nodes = []
    for text in spec.split("+"):
        node = _node(text.strip(), spec, seen)
        nodes.append(node)
        steps = [a.step for a in node.alternatives if isinstance(a, Leaf)]
        ends = [step for step in steps if step.name in ("down", "up")]
        if ends and (len(node.alternatives) > 1 or node.probability < 1):
            raise UserError(
                f"degradation {spec!r} applies {ends[0].name!r} to only some pictures; "
                "it must apply to all"
            )
        if ends and (ends[0].name == "down") == (small is None):
            small = text if small is None else None
        elif small is not None and _resizes(node):
            raise UserError(
                f"degradation {spec!r} resizes by {text.strip()!r} between 'down' and "
                "'up'; that works on pictures of full size only"
            )
        elif ends:
            raise UserError(f"degradation {spec!r} has an 'up' without a 'down' before")
    if small is not None:
        raise UserError(f"degradation {spec!r} has a 'down' without an 'up' after it")
    return Chain(tuple(nodes))


def _resizes(part: Node | Leaf | Chain) -> bool:
    match part:
        case Leaf(step=step):
            return step.resizes
        case Chain(nodes=parts) | Node(alternatives=parts):
            return any(map(_resizes, parts))


def _node(text: str, spec: str, seen: Counter) -> Node:
    text, at, chance = text.partition("@")
    probability = _probability(chance, spec) if at else 1.0
    parts = [part.strip() for part in text.split("/")]
    alternatives = tuple(_alternative(part, spec, seen) for part in parts)
    label = "/".join(part.partition(":")[0] for part in parts)
    if len(parts) == 1 and isinstance(alternatives[0], Leaf):
        label = alternatives[0].label
    elif len(parts) > 1 or probability < 1:
        label = _label(label, seen)
    return Node(label, alternatives, probability)


def _probability(text: str, spec: str) -> float:
    if "/" in text:
        raise UserError(
            f"degradation {spec!r} has a probability inside a choice; it comes after "
            "the last alternative"
        )
    if not re.fullmatch(_NUMBER, text.strip()) or not 0 <= float(text) <= 1:
        raise UserError(
            f"degradation {spec!r} has {text!r} after '@'; a probability is a number "
            "from 0 to 1"
        )
    return float(text)


def _label(name: str, seen: Counter) -> str:
    """Numbers a name from its second use on: `jpeg`, `jpeg2`, ..."""
    seen[name] += 1
    return name if seen[name] == 1 else f"{name}{seen[name]}"


def _alternative(text: str, spec: str, seen: Counter) -> Leaf | Chain:
    name, colon, arguments = (part.strip() for part in text.partition(":"))
    if name in NAMED:
        if colon:
            raise UserError(
                f"degradation {name!r} takes no arguments; it is {NAMED[name]}"
            )
        return _chain(NAMED[name], seen)
    if name not in STEPS:
        where = f" in {spec!r}" if name != spec else ""
        raise UserError(
            f"unknown degradation {name!r}{where}; choose one of: "
            f"{', '.join([*STEPS, *NAMED])}"
        )
    values = [part.strip() for part in arguments.split(",")] if colon else []
    return Leaf(
        _label(name, seen), STEPS[name](**_arguments(STEPS[name], values, text))
    )


def _arguments(step: type[Step], values: list[str], text: str) -> dict:
    kinds = step.arguments()
    parsed = {}
    for at, argument in enumerate(values):
        name, equals, value = argument.rpartition("=")
        if not equals:
            if at >= len(kinds):
                raise UserError(
                    f"degradation {text!r} has {len(values)} arguments; {step.name} "
                    f"takes: {', '.join(kinds) or 'none'}"
                )
            name = list(kinds)[at]
        if name not in kinds:
            raise UserError(
                f"degradation {text!r} has no argument {name!r}; {step.name} takes: "
                f"{', '.join(kinds) or 'none'}"
            )
        if name in parsed:
            raise UserError(f"degradation {text!r} has two values for {name!r}")
        parsed[name] = _value(kinds[name], name, value, text)
    return parsed


def _value(kind: Number | Word, name: str, value: str, text: str) -> Range | str:
    if isinstance(kind, Word):
        if value not in kind.among:
            raise UserError(
                f"degradation {text!r} has {value!r} for {name!r}; choose one of: "
                f"{', '.join(kind.among)}"
            )
        return value
    match = _RANGE.fullmatch(value)
    low, high = (
        (float(n) for n in (match[1], match[2] or match[1])) if match else (1, 0)
    )
    if not kind.low <= low <= high <= kind.high or (
        kind.scale == "integer" and (low % 1 or high % 1)
    ):
        what = "whole number" if kind.scale == "integer" else "number"
        raise UserError(
            f"degradation {text!r} has {value!r} for {name!r}, which is a {what} or a "
            f"range LOW-HIGH from {kind.low:g} to {kind.high:g}"
        )
    return Range(low, high)
