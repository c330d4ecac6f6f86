"""CelebA: 202,599 aligned faces of 178x218, split by identity."""

import csv
import pathlib
from typing import ClassVar

from kdsharp.data.builders import originals
from kdsharp.data.builders.staging import Original
from kdsharp.errors import UserError

_SPLITS = {"0": "train", "1": "validation", "2": "test"}
# With or without the publisher's folders Img/ and Eval/; Kaggle's list is a CSV file.
_PARTITIONS = (
    "list_eval_partition.txt",
    "Eval/list_eval_partition.txt",
    "list_eval_partition.csv",
)
_PICTURES = ("img_align_celeba", "Img/img_align_celeba")


class Celeba(originals.OriginalsBuilder):
    """The aligned JPEGs of CelebA in the official splits."""

    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "get Img/img_align_celeba.zip and Eval/list_eval_partition.txt and unzip, so "
        "that FOLDER holds img_align_celeba/000001.jpg and so on, and "
        "list_eval_partition.txt"
    )
    ROLES: ClassVar = ("sharp",)
    TITLE = "CelebA"
    HOMEPAGE = "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"
    LICENCE = "non-commercial research only, no redistribution"
    SHARD = 1024

    @classmethod
    def find(cls, folder: pathlib.Path) -> dict[str, list[Original]]:
        """Finds the pictures in the official list, by split."""
        lists = [folder / name for name in _PARTITIONS if (folder / name).is_file()]
        places = [folder / name for name in _PICTURES if (folder / name).is_dir()]
        if not lists or not places:
            raise UserError(
                f"the folder {folder} does not hold CelebA: from {cls.HOMEPAGE}, "
                f"{cls.MANUAL_DOWNLOAD_INSTRUCTIONS}"
            )
        pictures = places[0]
        # Some tools unzip the archive's folder into a folder of the same name.
        if (pictures / pictures.name).is_dir():
            pictures /= pictures.name
        splits = {split: [] for split in _SPLITS.values()}
        for name, split in _entries(lists[0]):
            original = Original(name, {"sharp": pictures / name})
            splits[split].append(original)
        return splits


def _entries(path: pathlib.Path) -> list[tuple[str, str]]:
    """Reads file names and splits from a list separated by spaces or commas."""
    entries = []
    with open(path, newline="") as lines:
        for row in csv.reader(line.replace(",", " ").strip() for line in lines):
            fields = row[0].split() if row else []
            if fields and fields[0] != "image_id":
                if len(fields) != 2 or fields[1] not in _SPLITS:
                    raise UserError(
                        f"the list {path} has the line {row[0]!r} instead of a name "
                        "and 0, 1 or 2: download it again"
                    )
                entries.append((fields[0], _SPLITS[fields[1]]))
    return entries
