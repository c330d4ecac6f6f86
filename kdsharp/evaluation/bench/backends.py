"""The backends that `kdsharp bench` times: kdsharp's own, and others to compare."""

import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from kdsharp.base import choices, optional
from kdsharp.errors import UserError
from kdsharp.evaluation.bench.frames import CHAINS, Frames, Run
from kdsharp.runtime import backends

# Frames are RGB, or for luma networks planes of luma.
PIXELS = ("rgb", "plane")


@dataclasses.dataclass(frozen=True)
class Subject:
    """A network to time: trained weights, or a `model` with random weights."""

    name: str
    weights: str = ""
    model: dict | None = None


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of a contender; `threads` 0 uses every core."""

    threads: int = 0
    dtype: str = "float32"
    pixels: str = "rgb"
    device: str = ""


@dataclasses.dataclass(frozen=True)
class BenchBackend:
    """A backend by its `create` function, which is called in the contender's process.

    `refuses` returns the reason why it cannot run a network, or an empty string.
    Without `devices`, it chooses its device itself.
    """

    create: Callable[[Subject, Settings], Run]
    needs: tuple[str, ...] = ()
    devices: Callable[[], Sequence[str]] | None = None
    refuses: Callable[[dict, Settings], str] = lambda arguments, settings: ""
    dtypes: tuple[str, ...] = ("float32", "bfloat16")

    @property
    def installed(self) -> bool:
        return optional.installed(*self.needs)


def check(name: str) -> None:
    """Raises an error for an unknown or uninstalled backend."""
    if name not in BACKENDS:
        raise choices.unknown("backend", name, BACKENDS)
    for module in BACKENDS[name].needs:
        if not optional.installed(module):
            raise optional.missing(module, purpose=f"backend {name!r}")


def lacks(name: str, device: str) -> str:
    """Explains why a backend cannot use a device; empty if it can."""
    if not device:
        return ""
    if not (devices := BACKENDS[name].devices):
        return "it chooses its device itself: leave out --device"
    if device == "auto" or device in (found := devices()):
        return ""
    return f"it finds no {device}, only {', '.join(found)}"


def network(subject: Subject, dtype: str = "float32"):
    """Loads a network: its module, variables and arguments, with folded batch norm."""
    import jax

    from kdsharp import models
    from kdsharp.weights import fold, store

    arguments: dict[str, Any]
    if subject.weights:
        loaded = store.load(subject.weights)
        arguments, variables = dict(loaded.card["model"]), loaded.variables
    else:
        arguments = dict(subject.model or {})
        channels = arguments.get("channels", 3)
        pixels = np.zeros((1, 32, 32, channels), np.float32)
        variables = dict(models.create(**arguments).init(jax.random.key(0), pixels))
        # Last layers are initialised to zero, which some processors compute faster.
        variables = jax.tree.map(lambda x: np.asarray(x) + np.float32(0.01), variables)
    with contextlib.suppress(UserError):  # Not every batch norm can be folded.
        arguments, variables = fold.fold(arguments, variables)
    return models.create(**arguments, dtype=dtype), variables, arguments


def _chain_refuses(arguments: dict, settings: Settings) -> str:
    if arguments.get("context"):
        return "it runs only networks without a context"
    if arguments.get("memory"):
        return "it runs only networks without memory"
    if arguments["name"] not in CHAINS:
        return f"it runs only networks of {', '.join(CHAINS)}"
    if arguments.get("channels", 3) == 1 and settings.pixels == "rgb":
        return "it runs luma networks only with --pixels plane"
    return ""


def _plain_chain_refuses(arguments: dict, settings: Settings) -> str:
    if arguments.get("skip") or arguments.get("learned_slope"):
        return "it runs only chains without a skip or learned slopes"
    return _chain_refuses(arguments, settings)


def _default_refuses(arguments: dict, settings: Settings) -> str:
    if arguments.get("channels", 3) == 1 and settings.pixels == "rgb":
        return "it runs luma networks only with --pixels plane"
    return ""


def _torch(subject: Subject, settings: Settings, *, compiled: bool = False) -> Run:
    import torch  # pyright: ignore[reportMissingImports]

    model, variables, arguments = network(subject)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    dtype = getattr(torch, settings.dtype)
    wanted = settings.device in ("gpu", "auto")
    place = "cuda" if wanted and "gpu" in _torch_devices() else "cpu"
    chain = _chain(torch, model, variables["params"]).to(place, dtype)
    # PyTorch's overloads leave out a call with nothing but the format.
    chain = chain.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    mean = torch.tensor(arguments.get("mean", (0.0,)), device=place)
    mean = mean.reshape(1, -1, 1, 1)
    adds = CHAINS[arguments["name"]]
    planes = settings.pixels == "plane"

    def restore(frames):
        frames = frames[:, None] if planes else frames.permute(0, 3, 1, 2)
        blurred = frames.float() / 255
        drawn = chain((blurred - mean if adds else blurred).to(dtype)).float()
        restored = blurred + drawn if adds else drawn
        restored = (restored.clamp(0, 1) * 255).round().byte()
        return restored[:, 0] if planes else restored.permute(0, 2, 3, 1)

    forward = torch.compile(restore, dynamic=False) if compiled else restore

    def run(frames: Frames) -> Frames:
        with torch.inference_mode():
            given = torch.from_numpy(frames).to(place)
            return forward(given).contiguous().cpu().numpy()

    return run


def _torch_devices() -> tuple[str, ...]:
    """The kinds of device that PyTorch finds."""
    import torch  # pyright: ignore[reportMissingImports]

    return ("cpu", "gpu") if torch.cuda.is_available() else ("cpu",)


def _chain(torch, model, params: dict):
    """Converts a chain of Flax convolutions `conv1`, `conv2`, ... to PyTorch."""
    count = sum(name.startswith("conv") for name in params)
    layers = []
    for number in range(1, count + 1):
        kernel, bias = (params[f"conv{number}"][name] for name in ("kernel", "bias"))
        size, _, inputs, outputs = kernel.shape
        layer = torch.nn.Conv2d(inputs, outputs, size, padding=size // 2)
        layer.weight.data = torch.tensor(np.asarray(kernel).transpose(3, 2, 0, 1))
        layer.bias.data = torch.tensor(np.asarray(bias))
        layers += [layer, _activation(torch, model, params, number)]
    first, inner, last = layers[:2], layers[2:-2], layers[-2]
    if getattr(model, "skip", False):
        inner = [_skip(torch, inner)]
    layers = [*first, *inner, last]
    if (factor := getattr(model, "factor", 1)) > 1:
        # For one channel, the channel order of PyTorch equals that of `fold`.
        fold, unfold = torch.nn.PixelUnshuffle(factor), torch.nn.PixelShuffle(factor)
        layers = [fold, *layers, unfold]
    return torch.nn.Sequential(*layers).eval()


def _activation(torch, model, params: dict, number: int):
    """The activation after convolution `number`."""
    if f"slope{number}" in params:
        slopes = torch.tensor(np.asarray(params[f"slope{number}"]))
        activation = torch.nn.PReLU(len(slopes))
        activation.weight.data = slopes
        return activation
    if hasattr(model, "slope"):
        return torch.nn.LeakyReLU(model.slope)
    return torch.nn.ReLU()


def _skip(torch, layers: list):
    """Wraps layers with a skip connection."""

    class Skip(torch.nn.Sequential):
        def forward(self, x):
            return x + super().forward(x)

    return Skip(*layers)


def _runtime(subject: Subject, settings: Settings, *, backend: backends.Backend) -> Run:
    """Runs frames through a backend of `kdsharp.runtime`."""
    plane = settings.pixels == "plane"
    # Frames of a batch have no order, in which a network with memory would see planes.
    if backend.frames and not (plane and exportable(subject).has_memory):
        model, variables, _ = network(subject, settings.dtype)
        compute = backends.compute(
            backend.name,
            dtype=settings.dtype,
            threads=settings.threads,
            device=settings.device,
        )
        return backend.frames(model, variables, plane, compute.device)
    from kdsharp.runtime import planes

    whole = exportable(subject)
    made = {}

    def run(frames: Frames) -> Frames:
        if not made:
            height, width = frames.shape[1:3]
            made["restore"] = planes.create(
                *(whole, width, height),
                backend=backend.name,
                dtype=settings.dtype,
                threads=settings.threads,
                device=settings.device,
                range="full",
                rgb=not plane,
            )
        restored = np.empty_like(frames)
        for frame, out in zip(frames, restored, strict=True):
            made["restore"](frame, out)
        return restored

    return run


def _exported(subject: Subject, settings: Settings, *, name: str) -> Run:
    """Runs the exported uint8 graph with the default settings of its runtime."""
    from kdsharp.base import optional
    from kdsharp.export import onnx_models, openvino_core

    graph = onnx_models.batch_model(exportable(subject), "uint8").SerializeToString()
    (runtime,) = optional.require(name, purpose=f"backend {name}")
    if name == "openvino":
        core = openvino_core.core()
        compiled = core.compile_model(core.read_model(graph), "CPU")
        call = lambda pixels: compiled([pixels])[0]  # noqa: E731
    else:
        session = runtime.InferenceSession(
            graph, providers=runtime.get_available_providers()
        )
        call = lambda pixels: session.run(None, {onnx_models.INPUT: pixels})[0]  # noqa: E731
    if settings.pixels == "plane":
        return lambda frames: call(frames[..., None])[..., 0]
    return call


def exportable(subject: Subject):
    """Loads a network in the form that `kdsharp.export` uses."""
    from kdsharp.export import network as networks

    _, variables, arguments = network(subject)
    return networks.of_variables(subject.name, arguments, variables)


def _ncnn(subject: Subject, settings: Settings) -> Run:
    from kdsharp.evaluation.bench import ncnn_chains

    planes = settings.pixels == "plane"
    return ncnn_chains.create(exportable(subject), settings.threads, planes=planes)


# The backends of `kdsharp.runtime`, and others for comparison.
BACKENDS: dict[str, BenchBackend] = {
    **{
        name: BenchBackend(
            partial(_runtime, backend=backend),
            backend.needs,
            backend.devices,
            dtypes=backend.dtypes,
        )
        for name, backend in backends.BACKENDS.items()
    },
    "torch": BenchBackend(_torch, ("torch",), _torch_devices, _chain_refuses),
    "torch-compiled": BenchBackend(
        partial(_torch, compiled=True), ("torch",), _torch_devices, _chain_refuses
    ),
    "openvino-defaults": BenchBackend(
        partial(_exported, name="openvino"),
        ("onnx", "openvino"),
        refuses=_default_refuses,
        dtypes=("float32",),
    ),
    "onnxruntime-defaults": BenchBackend(
        partial(_exported, name="onnxruntime"),
        ("onnx", "onnxruntime"),
        refuses=_default_refuses,
        dtypes=("float32",),
    ),
    "ncnn": BenchBackend(
        _ncnn, ("ncnn",), refuses=_plain_chain_refuses, dtypes=("float32",)
    ),
}
DTYPES = backends.DTYPES

DEVICES = backends.DEVICES
