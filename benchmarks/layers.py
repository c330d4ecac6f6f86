"""What each layer of a network asks for: operations and bytes, read off its program.

Convolutions and matrix products alone count: a compiler does what lies between them
while their results are written. A multiplication and an addition are two operations.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator

import jax
from jax.extend import core


@dataclasses.dataclass(frozen=True)
class Layer:
    """A product of `rows` by `depth` and `depth` by `columns`, `groups` times.

    `elements` is how many numbers it reads and writes, each once. Convolutions of a
    channel each are no work for a `matrix` unit.
    """

    rows: int
    depth: int
    columns: int
    groups: int
    elements: int
    matrix: bool = True

    @property
    def operations(self) -> int:
        return 2 * self.rows * self.depth * self.columns * self.groups


def count(call: Callable, *arguments) -> list[Layer]:
    """Returns the layers of a call, given what it takes or its shapes."""
    return list(_layers(jax.make_jaxpr(call)(*arguments).jaxpr))


def _layers(jaxpr: core.Jaxpr) -> Iterator[Layer]:
    for equation in jaxpr.eqns:
        match equation.primitive.name:
            case "conv_general_dilated":
                yield _convolution(equation)
            case "dot_general":
                yield _product(equation)
            case "scan":
                inner = list(_layers(equation.params["jaxpr"].jaxpr))
                yield from inner * equation.params["length"]
            case _:
                for held in equation.params.values():
                    for part in held if isinstance(held, tuple | list) else (held,):
                        part = getattr(part, "jaxpr", part)
                        if isinstance(part, core.Jaxpr):
                            yield from _layers(part)


def _convolution(equation) -> Layer:
    left, right = (variable.aval for variable in equation.invars)
    (out,) = (variable.aval for variable in equation.outvars)
    numbers = equation.params["dimension_numbers"]
    window = [right.shape[axis] for axis in numbers.rhs_spec[2:]]
    # A gradient runs over its input spread apart, whose gaps cost nothing.
    spread = math.prod(equation.params["lhs_dilation"])
    groups = equation.params["feature_group_count"]
    groups *= equation.params["batch_group_count"]
    rows = math.prod(out.shape[axis] for axis in numbers.out_spec[2:])
    batch = out.shape[numbers.out_spec[0]]
    if spread == 1:
        # Of a gradient of weights the window is the picture, mostly inside it.
        window = _inside(equation, left, window)
    return Layer(
        rows=-(-rows // spread) * batch,
        depth=math.prod(window) * right.shape[numbers.rhs_spec[1]],
        columns=out.shape[numbers.out_spec[1]] // groups,
        groups=groups,
        elements=left.size + right.size + out.size,
        matrix=groups == 1,
    )


def _inside(equation, left, window: list[int]) -> list[int]:
    """Returns the window, cut to the input where it is larger than that."""
    numbers = equation.params["dimension_numbers"]
    sizes = [left.shape[axis] for axis in numbers.lhs_spec[2:]]
    return [min(w, size) for w, size in zip(window, sizes, strict=True)]


def _product(equation) -> Layer:
    left, right = (variable.aval for variable in equation.invars)
    (out,) = (variable.aval for variable in equation.outvars)
    (contracted, _), (batched, _) = equation.params["dimension_numbers"]
    depth = math.prod(left.shape[axis] for axis in contracted)
    groups = math.prod(left.shape[axis] for axis in batched)
    rows = left.size // (depth * groups)
    return Layer(
        rows=rows,
        depth=depth,
        columns=right.size // (depth * groups),
        groups=groups,
        elements=left.size + right.size + out.size,
    )
