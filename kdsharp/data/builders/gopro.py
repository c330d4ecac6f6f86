"""GoPro: 3,214 pairs of video frames of 1280x720, blurred by averaging frames."""

import pathlib
import re

from kdsharp.data import paired
from kdsharp.data.builders import originals
from kdsharp.data.builders.staging import Original
from kdsharp.errors import UserError

_SEQUENCE = re.compile(r"GOPR\d+_\d+_\d+")


class Gopro(originals.OriginalsBuilder):
    """The pairs of GOPRO_Large, blurred without gamma (blur/, not blur_gamma/).

    The paper trains on blur_gamma/; MPRNet, NAFNet and most later work, on blur/. Their
    layout is read too: train/input and train/target with GOPR0372_07_00-000047.png etc.
    """

    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "get GOPRO_Large.zip and unzip it, so that FOLDER (or FOLDER/GOPRO_Large) "
        "holds train/ and test/, with GOPR0372_07_00/sharp/000047.png and "
        "GOPR0372_07_00/blur/000047.png and so on"
    )
    TITLE = "GoPro"
    HOMEPAGE = "https://seungjunnah.github.io/Datasets/gopro"
    LICENCE = "CC BY 4.0"
    SHARD = 64
    SCHEME = "90/10"

    @staticmethod
    def group(key: str) -> str:
        """The sequence: similar frames of one video must stay in one split."""
        named = _SEQUENCE.search(key)
        return named[0] if named else key.rpartition("/")[0] or key

    @classmethod
    def find(cls, folder: pathlib.Path) -> dict[str, list[Original]]:
        """Finds the pairs, complete or not, in the official splits."""
        if (folder / "GOPRO_Large").is_dir():
            folder /= "GOPRO_Large"
        splits = {}
        for split in ("train", "test"):
            if not (folder / split).is_dir():
                raise UserError(
                    f"the folder {folder} does not hold GOPRO_Large: it has no "
                    f"{split}/; from {cls.HOMEPAGE}, "
                    f"{cls.MANUAL_DOWNLOAD_INSTRUCTIONS}"
                )
            pairs = paired.find_pairs(folder / split)
            splits[split] = [
                Original(
                    name, {role: folder / split / path for role, path in pair.items()}
                )
                for name, pair in pairs.items()
            ]
        return splits
