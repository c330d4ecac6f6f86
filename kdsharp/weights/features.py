"""Loads VGG16 for the perceptual loss."""

from pathlib import Path

from flax.traverse_util import unflatten_dict
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file

from kdsharp.models.vgg import VGG16Features
from kdsharp.weights import torch_import


def load_vgg16(file: Path, *, dtype: str = "float32") -> tuple[VGG16Features, dict]:
    """Loads VGG16's features from torchvision's file or a converted one."""
    if _is_converted(file):
        variables = unflatten_dict(load_file(file), sep="/")
    else:
        variables, _ = torch_import.import_torch("vgg16", file)
    return VGG16Features(dtype=dtype), {"params": variables["params"]}


def _is_converted(file: Path) -> bool:
    try:
        with safe_open(file, "numpy") as tensors:
            return all(name.startswith("params/") for name in tensors.keys())  # noqa: SIM118
    except (OSError, SafetensorError):
        return False
