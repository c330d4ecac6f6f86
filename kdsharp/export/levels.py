"""What the integers of a picture or of a plane of video stand for."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Levels:
    """The integers of a plane that stand for 0 and 1, and the largest there is."""

    black: int
    white: int
    top: int

    @property
    def dtype(self) -> str:
        """How they are stored."""
        return "uint8" if self.top < 256 else "uint16"


def of_video(depth: int, range_: str) -> Levels:
    """Returns those of video in `full` or `studio` range."""
    top = 2**depth - 1
    if range_ == "full":
        return Levels(0, top, top)
    return Levels(16 << depth - 8, 235 << depth - 8, top)
