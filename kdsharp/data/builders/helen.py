"""Pairs of Helen faces of 256x256: sharp, and blurred by motion or defocus.

Helen itself is 2,330 large, sharp, annotated portraits. There is no standard set of
pairs: the ones in circulation, faces of 256x256 in sharp/ and blur/, were made by
others, each with a blur of their own.
"""

import pathlib

from kdsharp.data import paired
from kdsharp.data.builders import originals
from kdsharp.data.builders.staging import Original


class Helen(originals.OriginalsBuilder):
    """Pairs with the same names in sharp/ and blur/, split by a hash of the name."""

    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "get the portraits, cut out faces of 256x256 and blur these (or take pairs "
        "that others made so), and put the sharp ones into FOLDER/sharp/ and the "
        "blurred ones, under the same names, into FOLDER/blur/"
    )
    TITLE = "Helen"
    HOMEPAGE = "http://www.ifp.illinois.edu/~vuongle2/helen/"
    LICENCE = "unknown; photographs of Flickr's users, collected for research"
    SHARD = 256
    SCHEME = "70/15/15"

    @classmethod
    def find(cls, folder: pathlib.Path) -> dict[str, list[Original]]:
        """Finds the pairs, complete or not, in one split."""
        pairs = paired.find_pairs(folder)
        return {
            "train": [
                Original(name, {role: folder / path for role, path in pair.items()})
                for name, pair in pairs.items()
            ]
        }
