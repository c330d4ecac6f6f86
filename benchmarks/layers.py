"""Operations and memory traffic of each layer, counted from a function's jaxpr.

Only convolutions and matrix products count: a compiler fuses what lies between them
into the writing of their results. A multiply-add is two operations.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator

import jax
from jax.extend import core


@dataclasses.dataclass(frozen=True)
class Layer:
    """A layer as `groups` matrix products of (rows, depth) and (depth, columns).

    `elements` is the size of its inputs and output together. `matrix` is False for
    grouped convolutions, which matrix units cannot run.
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
    """Lists the layers of `call`; the arguments may be arrays or ShapeDtypeStructs."""
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
                for value in equation.params.values():
                    for part in value if isinstance(value, tuple | list) else (value,):
                        part = getattr(part, "jaxpr", part)
                        if isinstance(part, core.Jaxpr):
                            yield from _layers(part)


def _convolution(equation) -> Layer:
    left, right = (variable.aval for variable in equation.invars)
    (out,) = (variable.aval for variable in equation.outvars)
    numbers = equation.params["dimension_numbers"]
    window = [right.shape[axis] for axis in numbers.rhs_spec[2:]]
    # The gradient of a strided convolution dilates its input: the zeros in between
    # cost nothing.
    dilation = math.prod(equation.params["lhs_dilation"])
    groups = equation.params["feature_group_count"]
    groups *= equation.params["batch_group_count"]
    rows = math.prod(out.shape[axis] for axis in numbers.out_spec[2:])
    batch = out.shape[numbers.out_spec[0]]
    if dilation == 1:
        # In the gradient of a kernel the window spans the whole picture: only what
        # lies inside the input counts.
        window = _clip_to_input(equation, left, window)
    return Layer(
        rows=-(-rows // dilation) * batch,
        depth=math.prod(window) * right.shape[numbers.rhs_spec[1]],
        columns=out.shape[numbers.out_spec[1]] // groups,
        groups=groups,
        elements=left.size + right.size + out.size,
        matrix=groups == 1,
    )


def _clip_to_input(equation, left, window: list[int]) -> list[int]:
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
