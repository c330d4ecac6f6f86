"""What can run a network: one entry a backend."""

import contextlib
import dataclasses
import importlib.util
from collections.abc import Callable
from functools import partial

import numpy as np

from kdsharp.errors import UserError

Frames = np.ndarray
"""uint8 `[batch, height, width, 3]`."""

Run = Callable[[Frames], Frames]

# Networks that are 3x3 convolutions, ReLU between, and whether they add to their input.
_CHAINS = {"dncnn": True, "light_cnn": True, "plain_cnn": False}


@dataclasses.dataclass(frozen=True)
class Subject:
    """A network by name: trained weights, or a `model` of random numbers."""

    name: str
    weights: str = ""
    model: dict | None = None


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a contender may use; `threads` 0 is every core."""

    threads: int = 0
    dtype: str = "float32"


@dataclasses.dataclass(frozen=True)
class Backend:
    """`create` returns what runs, and is called where it shall run.

    `refuses` says why it cannot run a network of those arguments, or nothing.
    """

    create: Callable[[Subject, Settings], Run]
    needs: tuple[str, ...] = ()
    refuses: Callable[[dict], str] = lambda arguments: ""

    @property
    def installed(self) -> bool:
        return all(importlib.util.find_spec(module) for module in self.needs)


def check(name: str) -> None:
    """Refuses a backend that is not there."""
    if name not in BACKENDS:
        raise UserError(f"unknown backend {name!r}; there are: {', '.join(BACKENDS)}")
    if not BACKENDS[name].installed:
        raise UserError(f"backend {name!r} needs {' and '.join(BACKENDS[name].needs)}")


def network(subject: Subject, dtype: str = "float32"):
    """Returns the module, its variables and its arguments, batch norm folded."""
    import jax

    from kdsharp import models
    from kdsharp.weights import fold, store

    if subject.weights:
        loaded = store.load(subject.weights)
        arguments, variables = dict(loaded.card["model"]), loaded.variables
    else:
        arguments = dict(subject.model)
        channels = arguments.get("channels", 3)
        pixels = np.zeros((1, 32, 32, channels), np.float32)
        variables = dict(models.create(**arguments).init(jax.random.key(0), pixels))
        # Last layers begin at zero, and with zeros some processors are quicker.
        variables = jax.tree.map(lambda x: np.asarray(x) + np.float32(0.01), variables)
    with contextlib.suppress(UserError):  # Some networks keep their batch norm.
        arguments, variables = fold.fold(arguments, variables)
    return models.create(**arguments, dtype=dtype), variables, arguments


def _jax(subject: Subject, settings: Settings) -> Run:
    import jax
    import jax.numpy as jnp

    from kdsharp.core import color

    model, variables, arguments = network(subject, settings.dtype)
    of_luma = arguments.get("channels", 3) == 1

    @jax.jit
    def restore(variables, frames):
        blurred = frames.astype(jnp.float32) / 255
        seen = color.luma(blurred) if of_luma else blurred
        restored = blurred + model.apply(variables, seen)
        return jnp.round(jnp.clip(restored, 0, 1) * 255).astype(jnp.uint8)

    variables = jax.device_put(variables)
    return lambda frames: np.asarray(restore(variables, frames))


def _torch_refuses(arguments: dict) -> str:
    if arguments["name"] in _CHAINS and arguments.get("channels", 3) == 3:
        return ""
    return f"PyTorch is given RGB networks of {', '.join(_CHAINS)} alone"


def _torch(subject: Subject, settings: Settings, *, compiled: bool = False) -> Run:
    import torch

    _, variables, arguments = network(subject)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    dtype = getattr(torch, settings.dtype)
    chain = _chain(torch, variables["params"]).to(dtype)
    chain = chain.to(memory_format=torch.channels_last)
    mean = torch.tensor(arguments.get("mean", (0.0,))).reshape(1, -1, 1, 1)
    adds = _CHAINS[arguments["name"]]

    def restore(frames):
        blurred = frames.permute(0, 3, 1, 2).float() / 255
        drawn = chain((blurred - mean if adds else blurred).to(dtype)).float()
        restored = blurred + drawn if adds else drawn
        return (restored.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1)

    forward = torch.compile(restore, dynamic=False) if compiled else restore

    def run(frames: Frames) -> Frames:
        with torch.inference_mode():
            return forward(torch.from_numpy(frames)).contiguous().numpy()

    return run


def _chain(torch, params: dict):
    """Returns Flax's convolutions `conv1`, `conv2` and so on as PyTorch's."""
    layers = []
    for number in range(1, len(params) + 1):
        kernel, bias = (params[f"conv{number}"][name] for name in ("kernel", "bias"))
        size, _, inputs, outputs = kernel.shape
        layer = torch.nn.Conv2d(inputs, outputs, size, padding=size // 2)
        layer.weight.data = torch.tensor(np.asarray(kernel).transpose(3, 2, 0, 1))
        layer.bias.data = torch.tensor(np.asarray(bias))
        layers += [layer, torch.nn.ReLU(inplace=True)]
    return torch.nn.Sequential(*layers[:-1]).eval()


# To add a backend: write its `create`, enter it here.
BACKENDS: dict[str, Backend] = {
    "jax": Backend(_jax),
    "torch": Backend(_torch, ("torch",), _torch_refuses),
    "torch-compiled": Backend(
        partial(_torch, compiled=True), ("torch",), _torch_refuses
    ),
}
DTYPES = ("float32", "bfloat16")
