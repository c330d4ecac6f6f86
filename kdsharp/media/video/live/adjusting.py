"""A restoration that a person adjusts while it runs."""

import dataclasses
import logging
import threading

import av

from kdsharp.media.video.fields import FieldwiseRestoration
from kdsharp.runtime.options import MAX_STRENGTH, RestoreOptions

logger = logging.getLogger(__name__)

STEP = 0.1
"""What a key adds to the strength, or takes from it."""


class AdjustableRestoration:
    """A `FieldwiseRestoration` whose strength and split screen can be changed.

    A network is compiled for its strength: until that of the new one is ready, frames
    pass through the one before.
    """

    def __init__(self, options: RestoreOptions):
        self._options = options
        self._wanted = options.strength
        self._ready = {options.strength: FieldwiseRestoration(options)}
        self._current = self._ready[options.strength]
        self._like: av.VideoFrame | None = None
        self._changing = threading.Lock()
        self._compiling: threading.Thread | None = None
        self.compare = options.compare

    def __str__(self) -> str:
        return f"strength {self._wanted:.1f}" + (", compare" if self.compare else "")

    def prepare(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Converts the frame to the working format, and compiles the network for it."""
        self._like = frame
        return self._current.prepare(frame)

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        self._current.show_compared(self.compare)
        return self._current(frame)

    def press(self, word: str) -> None:
        """Does what a key stands for: compare, weaker or stronger."""
        if word == "compare":
            self.compare = not self.compare
            return
        step = STEP if word == "stronger" else -STEP
        with self._changing:
            wanted = round(self._wanted + step, 6)
            self._wanted = min(max(wanted, 0.0), MAX_STRENGTH)
            if self._compiling is None:
                self._compiling = threading.Thread(target=self._follow, daemon=True)
                self._compiling.start()

    def close(self) -> None:
        """Waits for compilations to end, because runtimes crash on exit otherwise."""
        if thread := self._compiling:
            thread.join()

    def _follow(self) -> None:
        """Compiles until the network in use is of the strength that is wanted."""
        # Nobody presses a key before the window shows a frame.
        assert self._like is not None
        while True:
            with self._changing:
                wanted = self._wanted
                made = self._ready.get(wanted)
                if made is not None:
                    self._current = made
                    self._compiling = None
                    return
            options = dataclasses.replace(self._options, strength=wanted)
            made = FieldwiseRestoration(options)
            made.prepare(self._like)
            self._ready[wanted] = made
