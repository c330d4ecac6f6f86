"""Imports PyTorch weights: the published SwinIR, DnCNN and VGG16, and a U-Net.

One function per architecture infers the network's arguments from names and shapes of
tensors, and maps each tensor to a variable. Layouts:

- `swinir`: github.com/JingyunLiang/SwinIR, `models/network_swinir.py`, upscale 1.
- `dncnn`: an `nn.Sequential` of convolutions, batch norms and ReLUs under one name, as
  in github.com/cszn/KAIR (`model.0.weight`, with or without batch norm) and
  github.com/cszn/DnCNN (`dncnn.0.weight`). Both predict the noise to subtract.
- `unet`: `encoder1`, `encoder2`, ..., `bottleneck`, ..., `decoder2`, `decoder1`, each
  `nn.Sequential(Conv2d(3), BatchNorm2d, LeakyReLU(0.1), and the same again)`;
  `up2`, `up1`: `ConvTranspose2d(2, stride 2)`; `head`: `Conv2d(1)`. A decoder takes
  `torch.cat([up, skip], 1)`; the head predicts the picture.
- `vgg16`: torchvision, `features.N`; layers after `features[:16]` are ignored.
"""

import dataclasses
import hashlib
import itertools
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from kdsharp import models
from kdsharp.errors import UserError
from kdsharp.models import vgg
from kdsharp.weights import store, torch_files

# PyTorch buffers without information.
_BUFFERS = ("num_batches_tracked", "relative_position_index", "attn_mask")

_SHOWN = 4


@dataclasses.dataclass(frozen=True)
class _Form:
    """The conversion of a PyTorch array to Flax: an axis order, and flipping."""

    axes: tuple[int, ...] | None = None
    flipped: bool = False

    def convert(self, array: np.ndarray) -> np.ndarray:
        if self.axes is not None:
            array = array.transpose(self.axes)
        return np.ascontiguousarray(array[::-1, ::-1] if self.flipped else array)

    def torch_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        if self.axes is None:
            return shape
        return tuple(shape[self.axes.index(axis)] for axis in range(len(shape)))


_SAME = _Form()
_LINEAR = _Form((1, 0))
_CONV = _Form((2, 3, 1, 0))
# PyTorch's transposed convolution flips its kernel, Flax's does not.
_CONV_TRANSPOSE = _Form((2, 3, 0, 1), flipped=True)

# The variable and conversion of each tensor.
_Places = dict[str, tuple[str, _Form]]


class _Tensors(dict[str, np.ndarray]):
    """The tensors of a file, with errors that name the file."""

    def __init__(self, tensors: dict, file: Path, arch: str):
        super().__init__(tensors)
        self.file, self.arch = file, arch

    def shape(self, name: str, rank: int) -> tuple[int, ...]:
        """The shape of a tensor, which must exist and have the given rank."""
        if name not in self:
            self.refuse(f"{name} is missing; the file has: {', '.join(list(self)[:4])}")
        if self[name].ndim != rank:
            self.refuse(f"{name} is {self[name].shape}, not of {rank} axes")
        return self[name].shape

    def numbers(self, pattern: str) -> list[int]:
        """The sorted numbers in the group of a pattern over all names."""
        found = (re.match(pattern, name) for name in self)
        return sorted({int(match[1]) for match in found if match})

    def refuse(self, why: str):
        raise UserError(f"{self.file} does not fit {self.arch!r}: {why}")


def import_torch(arch: str, file: Path, **options) -> tuple[dict, dict]:
    """Converts a file to a network's variables, and infers its arguments.

    `options` sets arguments that tensors do not imply: SwinIR's `img_range` (255 for
    the published JPEG models), the U-Net's `slope` and `sigmoid`, and the `epsilon`
    of DnCNN's batch norm (1e-4 by default).
    """
    if arch not in _ARCHITECTURES:
        raise UserError(
            f"no weights of {arch!r} can be imported; choose one of: "
            f"{', '.join(_ARCHITECTURES)}"
        )
    known = {
        name: value
        for name, value in torch_files.read(file).items()
        if not name.endswith(_BUFFERS)
    }
    tensors = _Tensors(known, file, arch)
    rest = dict(options)  # The remaining entries are arguments of the network.
    try:
        arguments, places = _ARCHITECTURES[arch](tensors, rest)
        arguments |= rest
        shapes = _shapes(arch, arguments)
    except UserError:
        raise
    # Invalid values raise errors where the network first uses them.
    except (TypeError, ValueError) as error:
        raise UserError(f"{arch!r} cannot be built with {options}") from error
    if shapes.keys() != {path for path, _ in places.values()}:
        tensors.refuse(f"its tensors do not match {options}")
    return _convert(tensors, places, shapes), arguments


def convert(
    arch: str, file: Path, to: Path, *, source: str, degradation: str = "", **options
) -> dict:
    """Writes imported weights and their card to `to`; returns the card.

    `source` is the origin of the file: an address, an author, a licence.
    """
    variables, arguments = import_torch(arch, file, **options)
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    card = {
        "name": to.stem,
        "model": {"name": arch, **arguments},
        "degradation": degradation,
        "source": {
            "from": source,
            "file": file.name,
            "sha256": digest,
            "framework": "PyTorch",
        },
        "scores": {},
    }
    store.save(to, variables, card)
    return card


def _shapes(arch: str, arguments: dict) -> dict[str, jax.ShapeDtypeStruct]:
    """The shapes of a network's variables, by path."""
    if arch != "vgg16":
        model = models.create(arch, **arguments)
    elif arguments:
        raise UserError(f"vgg16 has no arguments, but {min(arguments)!r} is given")
    else:
        model = vgg.VGG16Features()
    channels = arguments.get("channels", 3)
    shapes = jax.eval_shape(
        model.init, jax.random.key(0), np.zeros((1, 32, 32, channels), np.float32)
    )
    flat: Any = flatten_dict(dict(shapes), sep="/")
    return flat


def _convert(tensors: _Tensors, places: _Places, structs: dict) -> dict:
    """Builds the variables; raises an error if tensors do not fit the network."""
    shapes = {
        name: form.torch_shape(structs[path].shape)
        for name, (path, form) in places.items()
    }
    faults = [f"{name} is missing" for name in shapes if name not in tensors]
    faults += [f"{name} is unexpected" for name in tensors if name not in shapes]
    faults += [
        f"{name} is {tensors[name].shape}, not {shape}"
        for name, shape in shapes.items()
        if name in tensors and tensors[name].shape != shape
    ]
    if faults:
        more = len(faults) - _SHOWN
        tensors.refuse(
            ", ".join(faults[:_SHOWN]) + (f", and {more} more" if more > 0 else "")
        )
    variables = {
        path: form.convert(np.asarray(tensors[name], np.float32))
        for name, (path, form) in places.items()
    }
    return {"batch_stats": {}, **unflatten_dict(variables, sep="/")}


def _weight_and_bias(name: str, path: str, form: _Form) -> _Places:
    return {
        f"{name}.weight": (f"params/{path}/kernel", form),
        f"{name}.bias": (f"params/{path}/bias", _SAME),
    }


def _layer_norm(name: str, path: str) -> _Places:
    return {
        f"{name}.weight": (f"params/{path}/scale", _SAME),
        f"{name}.bias": (f"params/{path}/bias", _SAME),
    }


def _batch_norm(name: str, path: str) -> _Places:
    return _layer_norm(name, path) | {
        f"{name}.running_mean": (f"batch_stats/{path}/mean", _SAME),
        f"{name}.running_var": (f"batch_stats/{path}/var", _SAME),
    }


def _swinir(tensors: _Tensors, options: dict) -> tuple[dict, _Places]:
    for name in tensors:
        if name.startswith(("upsample.", "conv_before_upsample.", "conv_up1.")):
            tensors.refuse(
                f"{name} is of a network that upscales; only upscale 1 is supported"
            )
        if name == "conv_after_body.0.weight":
            tensors.refuse(
                f"{name} is of resi_connection '3conv'; only '1conv' is supported"
            )
    width, channels, _, _ = tensors.shape("conv_first.weight", 4)
    groups = tensors.numbers(r"layers\.(\d+)\.")
    blocks = [
        tensors.numbers(rf"layers\.{group}\.residual_group\.blocks\.(\d+)\.")
        for group in groups
    ]
    first = "layers.0.residual_group.blocks.0"
    offsets, _ = tensors.shape(f"{first}.attn.relative_position_bias_table", 2)
    hidden, _ = tensors.shape(f"{first}.mlp.fc1.weight", 2)
    # One more than the last number, so that gaps are reported as missing tensors.
    depths = tuple(max(numbers, default=-1) + 1 for numbers in blocks)
    arguments = {
        "depths": depths,
        "width": width,
        "heads": tuple(
            tensors.shape(
                f"layers.{group}.residual_group.blocks.0.attn"
                ".relative_position_bias_table",
                2,
            )[1]
            for group in groups
        ),
        "window": (math.isqrt(offsets) + 1) // 2,
        "mlp_ratio": hidden / width,
        "channels": channels,
    }
    places = {}
    for name, path in (
        ("conv_first", "conv_first"),
        ("conv_after_body", "conv_body"),
        ("conv_last", "conv_last"),
    ):
        places |= _weight_and_bias(name, path, _CONV)
    places |= _layer_norm("patch_embed.norm", "norm_first")
    places |= _layer_norm("norm", "norm_last")
    for group, depth in enumerate(depths):
        places |= _weight_and_bias(f"layers.{group}.conv", f"group{group}_conv", _CONV)
        for block in range(depth):
            name = f"layers.{group}.residual_group.blocks.{block}"
            path = f"group{group}_block{block}"
            for norm in ("norm1", "norm2"):
                places |= _layer_norm(f"{name}.{norm}", f"{path}/{norm}")
            places[f"{name}.attn.relative_position_bias_table"] = (
                f"params/{path}/attention/bias_table",
                _SAME,
            )
            for theirs, ours in (
                ("attn.qkv", "attention/qkv"),
                ("attn.proj", "attention/project"),
                ("mlp.fc1", "expand"),
                ("mlp.fc2", "contract"),
            ):
                places |= _weight_and_bias(
                    f"{name}.{theirs}", f"{path}/{ours}", _LINEAR
                )
    return arguments, places


def _dncnn(tensors: _Tensors, options: dict) -> tuple[dict, _Places]:
    # The default of both layouts; PyTorch's own is 1e-5.
    epsilon = options.pop("epsilon", 1e-4)
    stem = re.fullmatch(r"((?:\w+\.)*)\d+\.\w+", next(iter(tensors)))
    if stem is None:
        tensors.refuse(f"{next(iter(tensors))} is not of an nn.Sequential")
    stem = stem[1]
    normed = tensors.numbers(rf"{re.escape(stem)}(\d+)\.running_")
    convs = tensors.numbers(rf"{re.escape(stem)}(\d+)\.")
    convs = [number for number in convs if number not in normed]
    # Between convolutions there is a ReLU, or a batch norm and a ReLU.
    for before, after in itertools.pairwise(convs):
        if after - before != (3 if before + 1 in normed else 2):
            tensors.refuse(
                f"between {stem}{before} and {stem}{after} there must be a ReLU, or a "
                "batch norm and a ReLU"
            )
    width, channels, _, _ = tensors.shape(f"{stem}{convs[0]}.weight", 4)
    outputs, _, _, _ = tensors.shape(f"{stem}{convs[-1]}.weight", 4)
    if outputs != channels:
        tensors.refuse(
            f"it has {channels} input channels but {outputs} output channels; a "
            "residual needs as many as its picture"
        )
    depth = len(convs)
    after = tuple(n for n, conv in enumerate(convs, 1) if conv + 1 in normed)
    arguments = {
        "depth": depth,
        "width": width,
        "channels": channels,
        "norm_after": "inner" if after == tuple(range(2, depth)) else after,
    }
    places = {}
    for layer, number in enumerate(convs, start=1):
        name, norm = f"{stem}{number}", f"{stem}{number + 1}"
        places |= _weight_and_bias(name, f"conv{layer}", _CONV)
        if layer in after:
            places |= _batch_norm(norm, f"norm{layer}")
            del places[f"{name}.bias"]
            # A bias before batch norm only shifts the mean that is subtracted.
            mean = tensors.shape(f"{norm}.running_mean", 1)
            if (bias := tensors.pop(f"{name}.bias", None)) is not None:
                if bias.shape != mean:
                    tensors.refuse(f"{name}.bias is {bias.shape}, not {mean}")
                tensors[f"{norm}.running_mean"] -= bias
            tensors.shape(f"{norm}.running_var", 1)
            tensors[f"{norm}.running_var"] += epsilon - nn.BatchNorm.epsilon
    last = f"{stem}{convs[-1]}"
    tensors.setdefault(f"{last}.bias", np.zeros(outputs, np.float32))
    # The output is subtracted there, but residuals are added here.
    for part in ("weight", "bias"):
        tensors[f"{last}.{part}"] = -tensors[f"{last}.{part}"]
    return arguments, places


def _unet(tensors: _Tensors, options: dict) -> tuple[dict, _Places]:
    levels = tensors.numbers(r"encoder(\d+)\.")
    _, channels, _, _ = tensors.shape("encoder1.0.weight", 4)
    sides = [tensors.shape(f"encoder{level}.0.weight", 4)[0] for level in levels]
    deepest, _, _, _ = tensors.shape("bottleneck.0.weight", 4)
    arguments = {"widths": (*sides, deepest), "channels": channels}
    names = [f"{side}{level}" for side in ("encoder", "decoder") for level in levels]
    places = {}
    for name in (*names, "bottleneck"):
        for layer in (1, 2):
            start = 3 * (layer - 1)
            places |= _weight_and_bias(f"{name}.{start}", f"{name}/conv{layer}", _CONV)
            places |= _batch_norm(f"{name}.{start + 1}", f"{name}/norm{layer}")
    for level in levels:
        places |= _weight_and_bias(f"up{level}", f"up{level}", _CONV_TRANSPOSE)
    places |= _weight_and_bias("head", "head", _CONV)
    return arguments, places


def _vgg16(tensors: _Tensors, options: dict) -> tuple[dict, _Places]:
    for number in tensors.numbers(r"features\.(\d+)\."):
        if number > max(vgg.CONVOLUTIONS):
            tensors.pop(f"features.{number}.weight", None)
            tensors.pop(f"features.{number}.bias", None)
    for name in [name for name in tensors if name.startswith("classifier.")]:
        del tensors[name]
    places = {}
    for number in vgg.CONVOLUTIONS:
        places |= _weight_and_bias(f"features.{number}", f"conv{number}", _CONV)
    return {}, places


_ARCHITECTURES: dict[str, Callable[[_Tensors, dict], tuple[dict, _Places]]] = {
    "swinir": _swinir,
    "dncnn": _dncnn,
    "unet": _unet,
    "vgg16": _vgg16,
}
