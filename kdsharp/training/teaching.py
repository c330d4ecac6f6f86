"""Distillation: the teachers' residuals, features and views in a training step."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from kdsharp.core.objectives import Lesson
from kdsharp.core.views import View
from kdsharp.errors import UserError
from kdsharp.models import memory, real_time

Pixels = Float[Array, "b h w c"]
Features = tuple[Float[Array, "b h w f"], ...]


@dataclasses.dataclass(frozen=True)
class Teacher:
    """A frozen network, and its weight in the distillation terms.

    Without a network, the teacher is the student's own moving average.
    """

    model: nn.Module | None
    variables: dict | None
    share: float = 1.0


@dataclasses.dataclass(frozen=True)
class Teaching:
    """The teachers of a run, and the layers and views that they teach.

    `layers` are pairs of a layer of the student and one of the teacher.
    """

    models: tuple[nn.Module | None, ...] = ()
    layers: tuple[tuple[str, str], ...] = ()
    views: tuple[View, ...] = ()

    @property
    def student_layers(self) -> list[str]:
        return [student for student, _ in self.layers]

    @property
    def teacher_layers(self) -> list[str]:
        return [teacher for _, teacher in self.layers]

    def lessons(
        self,
        student: nn.Module,
        variables: Sequence[dict],
        blurred: Pixels,
        views: Sequence[Pixels],
    ) -> list[Lesson]:
        """Runs each teacher on the batch and on the views of it."""
        lessons = []
        for model, weights in zip(self.models, variables, strict=True):
            model = model or student
            residual, features, _ = apply(model, weights, blurred, self.teacher_layers)
            seen: Any = tuple(model.apply(weights, view) for view in views)
            lessons.append(Lesson(residual, features, views=seen))
        return jax.lax.stop_gradient(lessons)


NO_TEACHERS = Teaching()


def apply(
    model: nn.Module,
    variables: dict,
    pixels: Pixels,
    layers: Iterable[str] = (),
    *,
    mutable: Iterable[str] = (),
    **options,
) -> tuple[Pixels, Features, dict]:
    """Applies a network; returns its residual, features of `layers`, and updates.

    The frames of windows `[b, t, h, w, c]` become pictures of one batch, window by
    window. A network with memory restores them in order.
    """
    layers = tuple(layers)
    if pixels.ndim == 5:
        if memory.has_memory(model):
            return _apply_in_order(model, variables, pixels, layers, **options)
        pixels = each_frame(pixels)
    applied: Any = model.apply(
        variables,
        pixels,
        capture_intermediates=(
            lambda module, _: len(module.path) == 1 and module.name in layers
        )
        if layers
        else False,
        mutable=[*mutable, "intermediates"],
        **options,
    )
    residual, updates = applied
    captured = updates.pop("intermediates", {})
    features = tuple(
        captured[layer]["__call__"][0].astype(jnp.float32) for layer in layers
    )
    return residual, features, updates


def each_frame(pixels: Any) -> Pixels:
    """The frames of windows `[b, t, h, w, c]` as pictures of one batch."""
    return pixels if pixels.ndim == 4 else pixels.reshape(-1, *pixels.shape[2:])


def _apply_in_order(
    model: nn.Module,
    variables: dict,
    windows: Float[Array, "b t h w c"],
    layers: tuple[str, ...],
    **options,
) -> tuple[Pixels, Features, dict]:
    """Applies a network with memory, which has no statistics to update."""
    share = memory.share(variables)
    found, state = [], None
    # Unrolled, since XLA has no fast convolutions inside loops on a CPU.
    for number in range(windows.shape[1]):
        frame = windows[:, number]
        residual, features, _ = apply(model, variables, frame, layers, **options)
        restored = frame + residual
        if state is not None:
            kept = share
            if getattr(model, "context", 0):
                gains = real_time.gains_of(model, variables, frame)
                kept = share * memory.active(gains)
            restored = memory.steady(restored, state, kept)
        state = jnp.clip(restored, 0, 1)
        found.append((restored - frame, features))
    joined: Any = jax.tree.map(lambda *x: each_frame(jnp.stack(x, 1)), *found)
    return *joined, {}


def create_adapters(
    teaching: Teaching,
    student: nn.Module,
    variables: dict,
    teachers: Sequence[Teacher],
    channels: int,
    key: jax.Array,
) -> dict:
    """Initialises a 1x1 convolution for each teacher and pair of layers."""
    pixels = jax.ShapeDtypeStruct((1, 64, 64, channels), jnp.float32)
    ours = _layer_channels(
        student, variables, pixels, teaching.student_layers, "the student"
    )
    adapters = {}
    for number, teacher in enumerate(teachers):
        model = teacher.model or student
        held = teacher.variables if teacher.model else variables
        theirs = _layer_channels(
            model, held, pixels, teaching.teacher_layers, "the teacher"
        )
        for pair, (student_layer, teacher_layer) in enumerate(teaching.layers):
            fan_in, fan_out = ours[student_layer], theirs[teacher_layer]
            kernel = nn.initializers.lecun_normal()(
                jax.random.fold_in(jax.random.fold_in(key, number), pair),
                (fan_in, fan_out),
            )
            adapters[f"{number}_{pair}"] = {
                "kernel": kernel,
                "bias": jnp.zeros(fan_out),
            }
    return adapters


def adapt(lessons: Sequence[Lesson], features: Features, adapters: dict):
    """Adds the student's features, mapped by the adapters, to the lessons.

    The teachers' features are resized to the student's if their sizes differ.
    """
    adapted = []
    for number, lesson in enumerate(lessons):
        pairs = range(len(lesson.features))
        theirs = tuple(_resize_like(lesson.features[p], features[p]) for p in pairs)
        ours = ()
        if adapters:
            mappings = [adapters[f"{number}_{pair}"] for pair in pairs]
            ours = tuple(
                features[p] @ mappings[p]["kernel"] + mappings[p]["bias"] for p in pairs
            )
        adapted.append(lesson._replace(features=theirs, adapted=ours))
    return adapted


def parse_layers(spec: str) -> tuple[tuple[str, str], ...]:
    """Parses `student:teacher,...` into pairs of layers."""
    found = [pair.strip().split(":") for pair in spec.split(",") if pair.strip()]
    for pair in found:
        if len(pair) != 2:
            raise UserError(
                f"config.features {spec!r} must be pairs of a layer of the student and "
                "one of the teacher, such as conv4:conv8"
            )
    return tuple((student, teacher) for student, teacher in found)


def _resize_like(feature: jax.Array, like: jax.Array) -> jax.Array:
    shape = (*like.shape[:3], feature.shape[3])
    if feature.shape == shape:
        return feature
    return jax.image.resize(feature, shape, "linear")


def _layer_channels(model, variables, pixels, layers, whose) -> dict[str, int]:
    """Channels of every layer; raises an error if one of `layers` is unknown."""
    _, captured = jax.eval_shape(
        lambda held, x: model.apply(
            held, x, capture_intermediates=True, mutable=["intermediates"]
        ),
        variables,
        pixels,
    )
    known = {
        name: held["__call__"][0].shape[-1]
        for name, held in captured["intermediates"].items()
        if name != "__call__" and "__call__" in held
        if len(held["__call__"][0].shape) == 4
    }
    for layer in layers:
        if layer not in known:
            raise UserError(
                f"config.features: {whose} has no layer {layer!r}; choose one of: "
                f"{', '.join(known)}"
            )
    return known
