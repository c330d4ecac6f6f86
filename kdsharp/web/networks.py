"""The networks of a site: graphs beside a list of what they are."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path

from kdsharp import models
from kdsharp.base import atomic_files, optional
from kdsharp.export import network
from kdsharp.runtime import options as restore_options
from kdsharp.web import context
from kdsharp.web.kernels import module
from kdsharp.weights import cards, store

# Products a pixel that leave a camera some frames a second.
_MOST_LIVE = 50_000


@dataclasses.dataclass(frozen=True)
class PageNetwork:
    """What the page is told of a network; `graph` is its file, so is the kernel's.

    Those that are `live` are for video: of luma, and not too slow for it. A kernel, for
    those of them that have one, is their own WebAssembly. With a context the graph
    takes gains, which the page finds. Its `teachers` are those of the site that taught
    it, by its card, for the same blur.
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
    teachers: list[str]


def names(wished: list[str]) -> list[str]:
    """Returns these names, or all that ship, what sharpens by default first."""
    if wished:
        return list(dict.fromkeys(wished))
    defaults = [restore_options.DEFAULT, restore_options.DEFAULT_VIDEO]
    return defaults + [name for name in store.shipped() if name not in defaults]


def write(name: str, folder: Path, beside: Iterable[str] = ()) -> PageNetwork:
    """Writes the network's graph into the folder and returns what the page is told.

    `beside` names the site's networks, of which some may be its teachers.
    """
    optional.require(
        "onnx", "onnxruntime", purpose="a page that computes in the browser"
    )
    from kdsharp.export import onnx_models

    whole = network.of_weights(name)
    looks = models.receptive_field(whole.model)
    parameters = cards.count_parameters(store.locate(name))
    products = parameters / looks.multiple**2
    live = whole.model.channels == 1 and products <= _MOST_LIVE
    # What is beyond 0 and 1 is clipped once the residual is added to every colour.
    graph = onnx_models.batch_model(
        whole, clip=False, gains_given=True
    ).SerializeToString()
    file = f"{whole.name}.onnx"
    atomic_files.write_bytes(folder / file, graph)
    kernel = _kernel(whole) if live else None
    looks_at = context.write(whole, kernel, folder)
    return PageNetwork(
        name=whole.name,
        graph=file,
        parameters=parameters,
        channels=whole.model.channels,
        radius=looks.radius,
        multiple=looks.multiple,
        bytes=len(graph),
        degradation=whole.card.get("degradation") or "",
        live=live,
        kernel=_written(kernel, whole.name, folder) if kernel else None,
        context=dataclasses.asdict(looks_at) if looks_at else None,
        teachers=_teachers(whole.card, beside),
    )


def _teachers(card: dict, beside: Iterable[str]) -> list[str]:
    """Returns the names of those that taught a network, if it is of their task."""
    recipe = card.get("recipe")
    taught_by = recipe.get("teacher") if isinstance(recipe, dict) else None
    if not isinstance(taught_by, dict):
        return []
    wished = {name.strip() for name in (taught_by.get("weights") or "").split(",")}
    # What was trained in the same run is known by its name.
    wished.add((taught_by.get("experiment") or {}).get("name"))
    found = []
    for given in beside:
        teacher = store.read_card(store.locate(given))
        name = network.name_of(given, teacher)
        alike = teacher.get("degradation") == card.get("degradation")
        if wished & {given, name} and alike and name not in found:
            found.append(name)
    return found


def _kernel(whole: network.TrainedNetwork) -> module.Kernel | None:
    """Returns the network's own WebAssembly, if it can have one."""
    if not module.fits(whole):
        return None
    from kdsharp.export import int8

    return module.create(whole, int8.ranges(whole))


def _written(kernel: module.Kernel, name: str, folder: Path) -> dict:
    """Writes the module and returns what the page is told of it."""
    file = f"{name}.wasm"
    atomic_files.write_bytes(folder / file, kernel.content)
    told = {
        field.name: getattr(kernel, field.name)
        for field in dataclasses.fields(kernel)
        if field.name not in ("content", "last", "scale")
    }
    return {"file": file, "bytes": len(kernel.content), **told}
