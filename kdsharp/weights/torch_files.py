"""Reads PyTorch weight files without PyTorch, and without running code from the file.

A `.pth` file holds raw storages and a pickle that describes the tensors. Pickles can
call arbitrary functions; this reader implements the four that tensors need and rejects
all others. It reads the zip format (`data.pkl` and `data/KEY`, since PyTorch 1.6), the
stream of pickles before it, and `.safetensors` files.
"""

import collections
import dataclasses
import io
import math
import pickle
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from jaxtyping import Shaped
from safetensors.numpy import load_file

from kdsharp.errors import UserError

# Entries of checkpoints that hold the tensors, averaged ones first, since published
# scores are theirs.
_NESTED = ("params_ema", "params", "model_state_dict", "state_dict", "model")
# The prefix of names after training on several devices.
_WRAPPER = "module."

_STORAGES = {
    "FloatStorage": np.dtype("<f4"),
    "DoubleStorage": np.dtype("<f8"),
    "HalfStorage": np.dtype("<f2"),
    "BFloat16Storage": np.dtype(jnp.bfloat16),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
    "ShortStorage": np.dtype("<i2"),
    "CharStorage": np.dtype("i1"),
    "ByteStorage": np.dtype("u1"),
    "BoolStorage": np.dtype("?"),
}

# The magic number and version of the format before zip archives.
_MAGIC, _VERSION = 0x1950A86A20F9469CFC6C, 1001


def read(file: Path) -> dict[str, Shaped[np.ndarray, "..."]]:
    """Reads the tensors of a file by name; floating-point ones become float32."""
    if not file.is_file():
        raise UserError(f"no file {file}")
    try:
        if file.suffix == ".safetensors":
            tensors = load_file(file)
        else:
            tensors = _state_dict(file, _unpickle(file))
    except UserError:
        raise
    # Damaged pickles raise errors of any type.
    except Exception as error:
        raise UserError(
            f"{file} is not a file of PyTorch weights (.pth, .pt, .safetensors), "
            "or is damaged"
        ) from error
    return {
        name.removeprefix(_WRAPPER): (
            value.astype(np.float32)
            if jnp.issubdtype(value.dtype, jnp.floating)
            else value
        )
        for name, value in tensors.items()
    }


def _state_dict(file: Path, content) -> dict[str, np.ndarray]:
    """Finds the tensors in the nested entries of a checkpoint."""
    while isinstance(content, Mapping):
        for key in _NESTED:
            if isinstance(content.get(key), Mapping):
                content = content[key]
                break
        else:
            tensors = {
                name: value.read()
                for name, value in content.items()
                if isinstance(name, str) and isinstance(value, _Tensor)
            }
            if tensors:
                return tensors
            raise UserError(
                f"{file} holds no named tensors, neither at its top level nor under "
                f"{', '.join(_NESTED)}; its entries are: "
                f"{', '.join(map(str, list(content)[:8])) or 'none'}"
            )
    raise UserError(
        f"{file} holds a {type(content).__name__} instead of named tensors; save a "
        "model's state_dict()"
    )


@dataclasses.dataclass
class _Storage:
    """A flat array that tensors are views of."""

    dtype: np.dtype
    numbers: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class _Tensor:
    """A tensor as a strided view of a storage."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def read(self) -> np.ndarray:
        """Copies the tensor, after checking that it lies within its storage."""
        numbers = self.storage.numbers
        whole = (self.offset, *self.shape, *self.strides)
        if not all(type(number) is int and number >= 0 for number in whole):
            raise ValueError("the offset, shape or strides of a tensor are invalid")
        if len(self.shape) != len(self.strides):
            raise ValueError("a tensor does not have one stride per axis")
        count = math.prod(self.shape)
        reach = sum((n - 1) * s for n, s in zip(self.shape, self.strides, strict=True))
        # Zero strides could otherwise make a small file fill the memory.
        if numbers is None:
            raise ValueError("a tensor's storage is missing")
        if count and (count > numbers.size or self.offset + reach >= numbers.size):
            raise ValueError("a tensor extends beyond its storage")
        view = np.lib.stride_tricks.as_strided(
            numbers[self.offset :],
            self.shape,
            [stride * numbers.itemsize for stride in self.strides],
            writeable=False,
        )
        return np.array(view, order="C")


class _Unpickler(pickle.Unpickler):
    """Builds plain containers and tensors; rejects any other call in the pickle."""

    def __init__(self, stream: io.BytesIO, file: Path, storage: Callable):
        super().__init__(stream, encoding="utf-8")
        self._file = file
        self._storage = storage

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch", "Size"):
            return tuple
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *_: _Tensor(
                storage, offset, tuple(shape), tuple(strides)
            )
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return lambda tensor, *_: tensor
        if module == "torch" and name in _STORAGES:
            # A plain string, which the pickle cannot misuse.
            return name
        raise UserError(
            f"{self._file} wants to run {module}.{name}, which tensors do not need, so "
            "it is not opened; in PyTorch, save only the model's state_dict()"
        )

    def persistent_load(self, pid):
        kind, storage, key, *_ = pid
        if kind != "storage":
            raise ValueError(f"unknown persistent id {kind!r}")
        return self._storage(str(key), _STORAGES[storage])


def _unpickle(file: Path):
    """Unpickles a `.pth` file, with a `_Tensor` for each tensor."""
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            return _read_archive(file, archive)
    return _read_stream(file, io.BytesIO(file.read_bytes()))


def _read_archive(file: Path, archive: zipfile.ZipFile):
    names = archive.namelist()
    pickles = [name for name in names if name.split("/")[1:] == ["data.pkl"]]
    if len(pickles) != 1:
        raise UserError(
            f"{file} is a zip archive without PyTorch's data.pkl"
            + (
                "; of TorchScript, save the model's state_dict() instead"
                if any(name.endswith("constants.pkl") for name in names)
                else ""
            )
        )
    folder = pickles[0].removesuffix("data.pkl")
    order = folder + "byteorder"
    if order in names and archive.read(order) != b"little":
        raise UserError(f"{file} was written on a big-endian machine; not supported")
    storages: dict[str, _Storage] = {}

    def storage(key, dtype):
        if key not in storages:
            entry = archive.getinfo(f"{folder}data/{key}")
            if entry.compress_type != zipfile.ZIP_STORED:
                raise ValueError("compressed storages are not supported")
            storages[key] = _Storage(dtype, np.frombuffer(archive.read(entry), dtype))
        return storages[key]

    return _Unpickler(io.BytesIO(archive.read(pickles[0])), file, storage).load()


def _read_stream(file: Path, stream: io.BytesIO):
    storages: dict[str, _Storage] = {}

    def storage(key, dtype):
        return storages.setdefault(key, _Storage(dtype))

    def load():
        return _Unpickler(stream, file, storage).load()

    if load() != _MAGIC or load() != _VERSION:
        raise UserError(
            f"{file} is a pickle, but not as PyTorch 0.4 or later writes it; in "
            "PyTorch, save the model's state_dict() with torch.save"
        )
    if not load()["little_endian"]:
        raise UserError(f"{file} was written on a big-endian machine; not supported")
    content = load()
    for key in load():
        count = int.from_bytes(stream.read(8), "little")
        dtype = storages[str(key)].dtype
        numbers = stream.read(count * dtype.itemsize)
        storages[str(key)].numbers = np.frombuffer(numbers, dtype, count)
    return content
