"""The source of dead-leaves pictures, rendered once and memory-mapped from disk."""

import logging
import os
import pathlib
import subprocess
import sys
import threading
import uuid
from typing import Any

import numpy as np
from tqdm import tqdm

from kdsharp.base import cores
from kdsharp.base.cache import cache_folder
from kdsharp.data import dead_leaves
from kdsharp.errors import UserError

logger = logging.getLogger(__name__)

# With fewer pictures per process, starting the process takes longer than it saves.
_MIN_PER_PROCESS = 16
_PROGRESS = {
    "desc": "Generating pictures",
    "unit": "picture",
    "delay": 1,
    "mininterval": 1,
    "leave": False,
}


class DeadLeaves:
    """Source of `count` procedural pictures of `size` by `size` pixels."""

    window = None

    def __init__(self, *, count: int = 512, size: int = 256, seed: int = 0):
        if count < 1 or size < dead_leaves.MIN_SIZE:
            raise UserError(
                f"cannot generate {count} pictures of {size}x{size}: ask for at least "
                f"one of at least {dead_leaves.MIN_SIZE} pixels"
            )
        self.count = count
        self.size = size
        self.seed = seed
        self.skipped: list[str] = []
        # Rendered now, so that the wait comes before training, with a progress bar.
        self._pictures = self._load_or_render()

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict[str, Any]:
        """The record of the picture at `index`."""
        if not -self.count <= index < self.count:
            raise IndexError(index)
        return {
            "key": f"dead_leaves/{index % self.count:06d}",
            "sharp": self._pictures[index],
        }

    def __getstate__(self) -> dict[str, Any]:
        # Worker processes map the file again, and so share its pages.
        state = dict(self.__dict__)
        if isinstance(self._pictures, np.memmap):
            del state["_pictures"]
        return state

    def __setstate__(self, state: dict[str, Any]):
        self.__dict__.update(state)
        if "_pictures" not in state:
            self._pictures = self._load_or_render()

    @property
    def smallest(self) -> tuple[str, int, int]:
        """A name, height and width of the pictures, which are all of one size."""
        return "dead_leaves", self.size, self.size

    @property
    def path(self) -> pathlib.Path:
        """The cache file of the rendered pictures; its name holds every parameter."""
        return cache_folder() / (
            f"dead_leaves-v{dead_leaves.VERSION}-{self.count}x{self.size}"
            f"-seed{self.seed}.npy"
        )

    def _load_or_render(self) -> np.ndarray:
        try:
            return self._load()
        except FileNotFoundError:
            pass
        except (EOFError, OSError, ValueError) as error:
            logger.warning("rendering %s again: %s", self.path, error)
        try:
            return self._render_to_disk()
        except OSError as error:
            logger.warning(
                "cannot keep rendered pictures in %s (%s): rendering them in memory; "
                "set KDSHARP_CACHE to a writable folder to keep them",
                self.path.parent,
                error,
            )
        pixels = np.empty(self._shape, np.uint8)
        for index in tqdm(range(self.count), **_PROGRESS):
            pixels[index] = dead_leaves.render(index, size=self.size, seed=self.seed)
        pixels.setflags(write=False)
        return pixels

    @property
    def _shape(self) -> tuple[int, int, int, int]:
        return self.count, self.size, self.size, 3

    def _load(self) -> np.memmap:
        pixels = np.load(self.path, mmap_mode="r")
        if pixels.shape != self._shape or pixels.dtype != np.uint8:
            raise ValueError(f"it holds {pixels.dtype} {pixels.shape}")
        return pixels

    def _render_to_disk(self) -> np.memmap:
        folder = self.path.parent
        folder.mkdir(parents=True, exist_ok=True)
        # Concurrent processes render to files of their own, which have the same
        # content; the last one stays.
        name = str(folder / f"{self.path.stem}-{uuid.uuid4().hex}.part")
        try:
            pixels = np.lib.format.open_memmap(
                name, mode="w+", dtype=np.uint8, shape=self._shape
            )
            _reserve_disk_space(name)
            _render_into(pixels, name, seed=self.seed)
            pixels.flush()
            del pixels
            os.replace(name, self.path)
        finally:
            pathlib.Path(name).unlink(missing_ok=True)
        return self._load()


def _render_into(pixels: np.memmap, name: str, *, seed: int):
    count, size = pixels.shape[:2]
    with tqdm(total=count, **_PROGRESS) as progress:
        processes = min(cores.count(), count // _MIN_PER_PROCESS)
        if processes < 2 or not sys.executable:
            for index in range(count):
                pixels[index] = dead_leaves.render(index, size=size, seed=seed)
                progress.update()
            return
        # A script rather than multiprocessing, which would import the caller's main
        # module, and with it JAX, in each process.
        command = [sys.executable, "-P", dead_leaves.__file__, name, str(seed)]
        workers = []
        try:
            for first in range(processes):
                indices = f"{first}:{count}:{processes}"
                workers.append(
                    subprocess.Popen(
                        [*command, indices], stdout=subprocess.PIPE, text=True
                    )
                )
            readers = [
                threading.Thread(target=_track_progress, args=(worker, progress))
                for worker in workers
            ]
            for reader in readers:
                reader.start()
            for reader in readers:
                reader.join()
            failed = [worker.wait() for worker in workers if worker.wait()]
        finally:
            for worker in workers:
                if worker.poll() is None:
                    worker.terminate()
                    worker.wait()
        if failed:
            raise OSError(f"a rendering process ended with status {failed[0]}")


def _reserve_disk_space(name: str):
    """Raises OSError if the disk is full; writing to the memory map would crash."""
    if hasattr(os, "posix_fallocate"):
        with open(name, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, os.path.getsize(name))


def _track_progress(worker: subprocess.Popen, progress: tqdm):
    assert worker.stdout is not None
    for _ in worker.stdout:
        progress.update()
    worker.stdout.close()
