"""A site by `kdsharp web build`, once for all tests of a process."""

import atexit
import functools
import pathlib
import shutil
import tempfile
from collections.abc import Iterable, Sequence

import numpy as np
from absl.testing import absltest

from kdsharp.export import network as networks
from kdsharp.runtime import planes
from kdsharp.web import build
from tests.cli.running import run
from tests.export import random_networks

STUDENT, RGB = "rt-s-codec", "dncnn8-call"
# A student and what taught it, which is of another blur than those.
TAUGHT, TEACHER = "rt-s-bicubic2", "rt-xl-bicubic2"

# Networks of random numbers, of every kind that has WebAssembly of its own.
_RANDOM = {
    "deep": dict(
        name="real_time", channels=1, width=24, depth=6, learned_slope=True, skip=True
    ),
    "plain": dict(name="real_time", channels=1, width=8, depth=3, slope=0.2),
    "memory": dict(name="real_time", channels=1, width=8, depth=3, memory=True),
}


def of_kernels(folder: pathlib.Path, *more: str) -> tuple[pathlib.Path, dict[str, str]]:
    """A site without a runtime, and its networks by name."""
    files = {name: name for name in (STUDENT, *more)}
    for name, arguments in _RANDOM.items():
        (folder / name).mkdir()
        path = pathlib.Path(random_networks.save(folder / name, arguments))
        for suffix in (".safetensors", ".json"):
            path.with_suffix(suffix).rename(path.with_name(name + suffix))
        card = path.with_name(f"{name}.json")
        card.write_text(card.read_text().replace('"net"', f'"{name}"'))
        files[name] = str(path.with_name(f"{name}.safetensors"))
    site = folder / "site"
    build.write(site, list(files.values()), engine="server")
    return site, files


@functools.cache
def built() -> pathlib.Path:
    """The folder of a built site."""
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    site = pathlib.Path(folder) / "site"
    names = (STUDENT, RGB, TAUGHT, TEACHER)
    status, _, complaints = run("web", "build", site, "--models", *names)
    if status:
        raise AssertionError(complaints)
    return site


def check_memory(
    test: absltest.TestCase,
    weights: str,
    film: Sequence[np.ndarray],
    found: Iterable,
) -> None:
    """Asserts that a page restored a film of planes with the network's memory.

    It is within two levels of the native runtime, and much nearer to it than planes
    that are restored each on its own.
    """
    network, (height, width) = networks.of_weights(weights), film[0].shape
    restore, alone = (planes.create(network, width, height) for _ in range(2))
    for number, (shown, sharp) in enumerate(zip(film, found, strict=True)):
        wanted = restore(shown).astype(int)
        apart = np.abs(np.reshape(sharp, shown.shape) - wanted)
        test.assertLessEqual(apart.max(), 2)
        alone.start_sequence()
        drawn = np.abs(alone(shown) - wanted)
        test.assertEqual(drawn.max() > 1, number > 0)
        if number:
            test.assertLess(apart.mean(), 0.4 * drawn.mean())
