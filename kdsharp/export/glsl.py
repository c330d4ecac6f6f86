"""Networks for luma as user shaders of mpv and libplacebo.

Players run the file on the decoded luma plane, before scaling and conversion to RGB.
Each pass renders one texture of four filters at half the width and height; the last
pass adds the residual to the plane. Only fragment shaders are used, which OpenGL,
Vulkan, Direct3D and Metal all support.

A pass sees only the surroundings of a pixel, so a shader cannot compute the gains of a
network with a context. Those of a typical frame are multiplied into its last kernel.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from kdsharp.errors import UserError
from kdsharp.export.network import TrainedNetwork

# Black level and span to white, for planes read as values in [0, 1].
LEVELS = {"studio": (16 / 255, 219 / 255), "full": (0.0, 1.0)}
_FOLDED = "folded"
_HALF = "LUMA.{0} LUMA.{0} 2 % + 2 /"


@dataclasses.dataclass(frozen=True)
class _Pass:
    """A pass that renders to `save`, or to the plane itself if it is empty."""

    title: str
    binds: Sequence[str]
    save: str
    lines: Sequence[str]

    def __str__(self) -> str:
        header = [f"DESC {self.title}", "HOOK LUMA", "BIND LUMA"]
        header += [f"BIND {name}" for name in self.binds]
        if self.save:
            header += [
                f"SAVE {self.save}",
                f"WIDTH {_HALF.format('w')}",
                f"HEIGHT {_HALF.format('h')}",
                "COMPONENTS 4",
            ]
        body = ["vec4 hook() {", *(f"    {line}" for line in self.lines), "}"]
        return "\n".join([*(f"//!{line}" for line in header), *body, ""])


def check(network: TrainedNetwork) -> None:
    """Refuses networks that cannot be written as a shader."""
    model = network.model
    fits = (
        network.family == "real_time"
        and model.channels == 1
        and model.factor == 2
        and model.convolution in ("plain", "expanded")
        and model.width % 4 == 0
    )
    if not fits:
        raise UserError(
            f"{network.name} cannot be exported as a shader: only real_time networks "
            "for luma that fold by 2, without separable convolutions, can"
        )


def shader(
    network: TrainedNetwork,
    *,
    range_: str = "studio",
    strength: float = 1.0,
    gains: Float[np.ndarray, "filters"] | None = None,
) -> str:
    """The source text of the shader.

    `range_` tells what black and white are in the planes, because players do not pass
    it on. `strength` scales the residual. Networks with a context need the `gains` of a
    typical frame.
    """
    check(network)
    if network.has_context and gains is None:
        raise UserError(
            f"{network.name} sets gains by the whole picture, which a shader cannot "
            "see: give a picture of a typical frame with --like FILE"
        )
    black, span = LEVELS[range_]
    model, params = network.model, network.params
    passes = [_fold(network.name, black, span)]
    inputs, first = [_FOLDED], []
    for layer in range(1, model.depth):
        outputs = [f"layer{layer}_{group}" for group in range(model.width // 4)]
        slopes = params.get(f"slope{layer}", np.full(model.width, model.slope))
        added = first if model.skip and layer == model.depth - 1 else []
        for group, output in enumerate(outputs):
            sums = _convolution(params[f"conv{layer}"], group, inputs)
            slope = _vector(np.asarray(slopes)[4 * group : 4 * group + 4])
            lines = [*sums, f"sum = max(sum, 0.0) + {slope} * min(sum, 0.0);"]
            if added:
                lines.append(f"sum += {added[group]}_tex({added[group]}_pos);")
            binds = [*inputs, *([added[group]] if added else [])]
            title = f"{network.name}, layer {layer}, filters {4 * group} on"
            passes.append(_Pass(title, binds, output, [*lines, "return sum;"]))
        inputs = outputs
        if layer == 1:
            first = outputs
    last = params[f"conv{model.depth}"]
    if gains is not None:
        last = {**last, "kernel": np.asarray(last["kernel"]) * gains[:, None]}
    sums = _convolution(last, 0, inputs)
    title = f"{network.name}, layer {model.depth}, residual"
    passes.append(_Pass(title, inputs, "residual", [*sums, "return sum;"]))
    passes.append(_unfold(network.name, strength * span))
    return "\n".join([_heading(network, range_, strength), *map(str, passes)])


def _heading(network: TrainedNetwork, range_: str, strength: float) -> str:
    lines = [
        f"{network.name} of kdsharp {network.version}: sharpens luma",
        f"trained for {network.card.get('degradation') or 'an unknown degradation'}",
        f"planes in {range_} range, strength {strength:g}",
    ]
    if network.has_context:
        lines.append("with the gains of one typical frame for all frames")
    return "".join(f"// {line}\n" for line in lines)


def _fold(name: str, black: float, span: float) -> _Pass:
    """Packs each 2x2 square of pixels into one; edges are mirrored."""
    lines = [
        "ivec2 size = ivec2(LUMA_size + 0.5);",
        "vec2 halves = vec2((size + 1) / 2);",
        "ivec2 corner = 2 * ivec2(LUMA_pos * halves);",
        "vec4 square;",
        "for (int i = 0; i < 4; i++) {",
        "    ivec2 at = min(corner + ivec2(i % 2, i / 2), size - 1);",
        "    square[i] = LUMA_tex((vec2(at) + 0.5) * LUMA_pt).x;",
        "}",
        f"return (square - {_number(black)}) / {_number(span)};",
    ]
    return _Pass(f"{name}, fold", [], _FOLDED, lines)


def _unfold(name: str, scale: float) -> _Pass:
    lines = [
        "ivec2 at = ivec2(LUMA_pos * LUMA_size);",
        "vec4 square = residual_tex((vec2(at / 2) + 0.5) * residual_pt);",
        "float added = square[2 * (at.y % 2) + at.x % 2];",
        f"float luma = LUMA_tex(LUMA_pos).x + {_number(scale)} * added;",
        "return vec4(clamp(luma, 0.0, 1.0), 0.0, 0.0, 1.0);",
    ]
    return _Pass(f"{name}, add", ["residual"], "", lines)


def _convolution(params: dict, group: int, inputs: Sequence[str]) -> list[str]:
    """Lines that compute four filters, with zero padding."""
    kernel = np.asarray(params["kernel"], np.float64)[..., 4 * group : 4 * group + 4]
    bias = np.asarray(params["bias"], np.float64)[4 * group : 4 * group + 4]
    reach = kernel.shape[0] // 2
    source = inputs[0]
    lines = [
        f"ivec2 size = ivec2({source}_size + 0.5);",
        f"ivec2 at = ivec2({source}_pos * {source}_size);",
        f"vec4 sum = {_vector(bias)};",
    ]
    for row in range(-reach, reach + 1):
        for column in range(-reach, reach + 1):
            inside = _inside(row, column)
            products = []
            for index, name in enumerate(inputs):
                weights = kernel[row + reach, column + reach, 4 * index : 4 * index + 4]
                value = f"{name}_texOff(vec2({column}.0, {row}.0))"
                products.append(f"{_matrix(weights)} * {value}")
            lines.append(f"{inside}{{")
            lines += [f"    sum += {product};" for product in products]
            lines.append("}")
    return lines


def _inside(row: int, column: int) -> str:
    tests = []
    for name, offset in (("x", column), ("y", row)):
        if offset < 0:
            tests.append(f"at.{name} >= {-offset}")
        elif offset > 0:
            tests.append(f"at.{name} < size.{name} - {offset}")
    return f"if ({' && '.join(tests)}) " if tests else ""


def _matrix(weights: np.ndarray) -> str:
    """A matrix whose columns are inputs, as in GLSL."""
    return f"mat4({', '.join(map(_number, weights.ravel()))})"


def _vector(numbers: np.ndarray) -> str:
    return f"vec4({', '.join(map(_number, numbers))})"


def _number(value: float) -> str:
    text = f"{value:.7g}"
    return text if set(text) & set(".en") else f"{text}.0"
