"""Writes small data sets in the layouts of their publishers."""

import pathlib

import numpy as np
from PIL import Image, ImageFilter


def picture(seed: int, height: int, width: int) -> Image.Image:
    """A smooth random picture, which JPEG preserves well."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def save(path: pathlib.Path, image: Image.Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def save_pair(
    sharp: pathlib.Path, blurred: pathlib.Path, seed: int, height: int, width: int
) -> None:
    image = picture(seed, height, width)
    save(sharp, image)
    save(blurred, image.filter(ImageFilter.GaussianBlur(2)))


def truncate(path: pathlib.Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def read(path: pathlib.Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def celeba(root: pathlib.Path) -> None:
    """Writes eight pictures for training, two for validation and two for testing."""
    lines = []
    for number in range(1, 13):
        name = f"{number:06d}.jpg"
        save(root / "img_align_celeba" / name, picture(number, 218, 178))
        lines.append(f"{name} {0 if number <= 8 else 1 if number <= 10 else 2}\n")
    (root / "list_eval_partition.txt").write_text("".join(lines))


def helen(root: pathlib.Path, count: int = 40) -> None:
    for i in range(count):
        name = f"{100032540 + i}_1.png"
        save_pair(root / "sharp" / name, root / "blur" / name, i, 256, 256)


def gopro(root: pathlib.Path) -> None:
    """Writes frames of five sequences, at a tenth of their size."""
    sequences = {
        "train": ("GOPR0372_07_00", "GOPR0374_11_00", "GOPR0384_11_01"),
        "test": ("GOPR0384_11_00", "GOPR0385_11_01"),
    }
    seed = 0
    for split, names in sequences.items():
        for name in names:
            for frame in (47, 48, 49):
                folder, file = root / split / name, f"{frame:06d}.png"
                save_pair(
                    folder / "sharp" / file, folder / "blur" / file, seed, 72, 128
                )
                save(folder / "blur_gamma" / file, picture(1000 + seed, 72, 128))
                seed += 1
