"""In a base install, verbs that need an extra say which one."""

import json
import subprocess
import sys

import pytest
from absl.testing import absltest

# Runs each verb in one process in which no package of an extra can be imported.
_PROGRAM = """
import contextlib, importlib.util, io, json, sys
from kdsharp.base import optional

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in optional.EXTRAS:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: (
    None if name.partition(".")[0] in optional.EXTRAS else found(name, package)
)
from kdsharp import cli
results = []
for verb in json.loads(sys.argv[1]):
    with contextlib.redirect_stderr(io.StringIO()) as complaints:
        status = cli.main(verb)
    results.append((status, complaints.getvalue()))
print(json.dumps(results))
"""
_VERBS = {
    "onnx": (
        ("export", "rt-s-call"),
        ("export", "rt-s-call", "--format", "stablehlo"),
        ("web", "build", "site"),
        ("web", "extension", "extension"),
        ("bench", "--weights", "rt-s-call", "--backend", "openvino"),
        ("sharpen", "a.jpg", "--backend", "onnxruntime"),
    ),
    "video": (
        ("video", "a.mp4", "b.mp4"),
        ("live", "camera", "window"),
        ("eval", "--video", "--weights", "rt-s-call", "--screens", "1"),
        ("data", "prepare", "clips", "--from", "."),
    ),
    "serve": (("serve",), ("mos", "serve", "study")),
    "batch": (("batch", "*.jpg", "out"),),
}


class BaseInstallTest(absltest.TestCase):
    @pytest.mark.slow
    def test_each_verb_names_the_missing_extra(self):
        verbs = [(extra, verb) for extra, group in _VERBS.items() for verb in group]
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM, json.dumps([verb for _, verb in verbs])],
            capture_output=True,
            text=True,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        results = json.loads(done.stdout.splitlines()[-1])
        for (extra, verb), (status, complaint) in zip(verbs, results, strict=True):
            with self.subTest(" ".join(verb)):
                self.assertEqual(status, 2)
                self.assertRegex(
                    complaint,
                    r"^kdsharp: .* needs .*, which is not installed: "
                    rf"pip install 'kdsharp\[{extra}\]'\n$",
                )


if __name__ == "__main__":
    absltest.main()
