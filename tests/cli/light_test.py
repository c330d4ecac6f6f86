"""What `launch/light.txt` installs is enough to sharpen, and what it lacks is named."""

import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from absl.testing import absltest
from PIL import Image

_LIST = Path(__file__).parents[2] / "launch" / "light.txt"

# Runs verbs, one after another, as if those modules were not installed.
_PROGRAM = """
import contextlib, importlib.util, io, json, sys
absent, verbs = json.load(sys.stdin)

class Absent:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in absent:
            raise ModuleNotFoundError(f"No module named {top!r}", name=top)

sys.meta_path.insert(0, Absent())
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: (
    None if name.partition(".")[0] in absent else found(name, package)
)
from kdsharp import cli
told = []
for verb in verbs:
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()) as complaints,
    ):
        status = cli.main(verb)
    told.append((status, complaints.getvalue()))
print(json.dumps(told))
"""


def _absent() -> list[str]:
    """The modules of all but what the list names and what that depends on."""
    lines = [line for line in _LIST.read_text().splitlines() if line[0] != "#"]
    waiting = [re.match(r"[\w-]+", line)[0] for line in lines]
    installed = {"flax", "kdsharp"}
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in installed:
            continue
        installed.add(name)
        try:
            wanted = metadata.requires(name) or []
        except metadata.PackageNotFoundError:  # Of another system.
            continue
        waiting += [re.match(r"[\w.-]+", w)[0] for w in wanted if "extra ==" not in w]
    return [
        module
        for module, owners in metadata.packages_distributions().items()
        if not installed & {re.sub(r"[-_.]+", "-", owner).lower() for owner in owners}
    ]


class LightTest(absltest.TestCase):
    @pytest.mark.slow
    def test_it_sharpens_and_says_what_other_verbs_need(self):
        folder = Path(self.create_tempdir().full_path)
        shades = np.random.default_rng(0).integers(0, 256, (40, 60, 4), np.uint8)
        Image.fromarray(shades[..., :3]).save(folder / "a.jpg", quality=95)
        Image.fromarray(shades).save(folder / "b.png")
        Image.fromarray(shades[..., 0].astype(np.uint16) * 257).save(folder / "c.tif")
        sharpening = ["sharpen", str(folder), "-o", str(folder / "sharp")]
        verbs = [
            ["models"],
            [*sharpening, "--unsharp", "0.3", "--compare"],
            ["eval", "--weights", "rt-s-call", "--data", str(folder)],
        ]
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM],
            input=json.dumps([_absent(), verbs]),
            capture_output=True,
            text=True,
            cwd=_LIST.parents[1],
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        told = json.loads(done.stdout.splitlines()[-1])
        for (status, complaint), verb in zip(told[:2], verbs, strict=False):
            self.assertEqual(status, 0, f"{verb}: {complaint}")
        for name in ("a.jpg", "b.png", "c.tif"):
            with Image.open(folder / "sharp" / name) as sharp:
                self.assertEqual(sharp.size, (60, 40))
        for status, complaint in told[2:]:
            self.assertEqual(status, 2)
            self.assertRegex(
                complaint,
                r"^kdsharp: this verb needs \w[\w-]+, which a light installation "
                r"leaves out: pip install kdsharp\n$",
            )


if __name__ == "__main__":
    absltest.main()
