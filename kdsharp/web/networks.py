"""The networks of a site: exported graphs and their list."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path

from kdsharp import models
from kdsharp.base import atomic_files, optional
from kdsharp.export import network
from kdsharp.models import memory
from kdsharp.runtime import options as restore_options
from kdsharp.web import context
from kdsharp.web.kernels import module
from kdsharp.weights import cards, store

# Multiplications per pixel up to which a webcam still reaches some frames per second.
_MOST_LIVE = 50_000


@dataclasses.dataclass(frozen=True)
class PageNetwork:
    """What the page knows of a network; `graph` is the name of its file.

    `live` networks can restore video: they are for luma and fast enough. `kernel` is
    the dedicated WebAssembly of those that have one. With a `context`, the graph takes
    gains, which the page computes. `memory` has the share and the reach of a network
    with memory, which the page applies to video. `teachers` are the networks of the
    site that taught this one, according to its card, for the same degradation.
    """

    name: str
    graph: str
    parameters: int
    channels: int
    radius: int
    multiple: int
    bytes: int
    degradation: str
    live: bool
    kernel: dict | None
    context: dict | None
    memory: dict | None
    teachers: list[str]


def names(given: list[str]) -> list[str]:
    """These names, or those of all included networks, the defaults first."""
    if given:
        return list(dict.fromkeys(given))
    defaults = [restore_options.DEFAULT, restore_options.DEFAULT_VIDEO]
    return defaults + [name for name in store.shipped() if name not in defaults]


def write(name: str, folder: Path, beside: Iterable[str] = ()) -> PageNetwork:
    """Exports a network to the folder and returns its entry.

    `beside` names the networks of the site, which may include its teachers.
    """
    optional.require(
        "onnx", "onnxruntime", purpose="a page that computes in the browser"
    )
    from kdsharp.export import onnx_models

    trained = network.of_weights(name)
    field = models.receptive_field(trained.model)
    parameters = cards.count_parameters(store.locate(name))
    products = parameters / field.multiple**2
    live = trained.model.channels == 1 and products <= _MOST_LIVE
    # Clipping happens in the page, after the residual is added to all channels.
    graph = onnx_models.batch_model(
        trained, clip=False, gains_given=True
    ).SerializeToString()
    file = f"{trained.name}.onnx"
    atomic_files.write_bytes(folder / file, graph)
    kernel = _kernel(trained) if live else None
    layout = context.write(trained, kernel, folder)
    return PageNetwork(
        name=trained.name,
        graph=file,
        parameters=parameters,
        channels=trained.model.channels,
        radius=field.radius,
        multiple=field.multiple,
        bytes=len(graph),
        degradation=store.degradation(trained.card),
        live=live,
        kernel=_written(kernel, trained.name, folder) if kernel else None,
        context=dataclasses.asdict(layout) if layout else None,
        memory=_memory(trained),
        teachers=_teachers(trained.card, beside),
    )


def _memory(trained: network.TrainedNetwork) -> dict | None:
    """The constants of `kdsharp.models.memory.steady`, if the network has a memory."""
    if not trained.has_memory:
        return None
    share = float(memory.share(trained.variables))
    return {"share": share, "reach": memory.REACH}


def _teachers(card: dict, beside: Iterable[str]) -> list[str]:
    """The networks that taught this one for the same degradation."""
    recipe = card.get("recipe")
    taught_by = recipe.get("teacher") if isinstance(recipe, dict) else None
    if not isinstance(taught_by, dict):
        return []
    teachers = {name.strip() for name in (taught_by.get("weights") or "").split(",")}
    # A teacher that was trained in the same run is known by its name.
    teachers.add((taught_by.get("experiment") or {}).get("name"))
    found = []
    for given in beside:
        teacher = store.read_card(store.locate(given))
        name = network.name_of(given, teacher)
        alike = teacher.get("degradation") == card.get("degradation")
        if teachers & {given, name} and alike and name not in found:
            found.append(name)
    return found


def _kernel(trained: network.TrainedNetwork) -> module.Kernel | None:
    """Compiles the network's dedicated WebAssembly, if it can have one."""
    if not module.fits(trained):
        return None
    from kdsharp.export import int8

    return module.create(trained, int8.quantization(trained).observed)


def _written(kernel: module.Kernel, name: str, folder: Path) -> dict:
    """Writes the module and returns its description for the page."""
    file = f"{name}.wasm"
    atomic_files.write_bytes(folder / file, kernel.content)
    layout = {
        field.name: getattr(kernel, field.name)
        for field in dataclasses.fields(kernel)
        if field.name not in ("content", "last", "scale")
    }
    return {"file": file, "bytes": len(kernel.content), **layout}
