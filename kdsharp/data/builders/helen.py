"""Helen faces, 256x256, in pairs: sharp, and blurred by motion or out of focus."""

import pathlib

from kdsharp.data import paired
from kdsharp.data.builders import originals
from kdsharp.data.builders.staging import Original


class Helen(originals.OriginalsBuilder):
    """Pairs under the same names in sharp/ and blur/, divided by a hash."""

    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "get the faces, or pairs that others have made of them, and put the sharp "
        "pictures of 256x256 into FOLDER/sharp/ and the blurred ones, under the same "
        "names, into FOLDER/blur/"
    )
    TITLE = "Helen"
    HOMEPAGE = "http://www.ifp.illinois.edu/~vuongle2/helen/"
    LICENCE = "research only"
    SHARD = 256
    SCHEME = "70/15/15"

    @classmethod
    def find(cls, folder: pathlib.Path) -> dict[str, list[Original]]:
        """The pairs, whole or not, in one split."""
        pairs = paired.find_pairs(folder)
        return {
            "train": [
                Original(name, {role: folder / path for role, path in pair.items()})
                for name, pair in pairs.items()
            ]
        }
