"""The meaning of the integers of a picture or a plane of video."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Levels:
    """The integers for 0 (black) and 1 (white), and the largest valid one."""

    black: int
    white: int
    top: int

    @property
    def dtype(self) -> str:
        """The element type that holds them."""
        return "uint8" if self.top < 256 else "uint16"


def of_video(depth: int, range_: str) -> Levels:
    """The levels of `full` or `studio` range video at a bit depth."""
    top = 2**depth - 1
    if range_ == "full":
        return Levels(0, top, top)
    return Levels(16 << depth - 8, 235 << depth - 8, top)
