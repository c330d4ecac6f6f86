"""The networks of a site: graphs beside a list of what they are."""

import dataclasses
from pathlib import Path

from kdsharp import whole_files
from kdsharp.export import network, packages
from kdsharp.models import reach
from kdsharp.runtime import restore
from kdsharp.weights import cards, store


@dataclasses.dataclass(frozen=True)
class Entry:
    """What the page is told of a network; `graph` lies beside the list."""

    name: str
    graph: str
    parameters: int
    channels: int
    radius: int
    multiple: int
    bytes: int
    degradation: str


def names(wished: list[str]) -> list[str]:
    """Returns these names, or all that ship, what sharpens by default first."""
    if wished:
        return list(dict.fromkeys(wished))
    return sorted(store.shipped(), key=lambda name: (name != restore.DEFAULT, name))


def write(name: str, folder: Path) -> Entry:
    """Writes the network's graph into the folder and returns what the page is told."""
    packages.need("onnx")
    from kdsharp.export import pictures

    whole = network.of_weights(name)
    looks = reach.of(whole.model)
    # What is beyond 0 and 1 is clipped once the residual is added to every colour.
    graph = pictures.batches(whole, clip=False).SerializeToString()
    file = f"{whole.name}.onnx"
    whole_files.write_bytes(folder / file, graph)
    return Entry(
        name=whole.name,
        graph=file,
        parameters=cards.count_parameters(store.locate(name)),
        channels=whole.model.channels,
        radius=looks.radius,
        multiple=looks.multiple,
        bytes=len(graph),
        degradation=whole.card.get("degradation") or "",
    )
