"""`kdsharp mos new`: the pictures of a study and their order."""

import json
import os
import pathlib
import re

import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image

import kdsharp
from kdsharp.study import order, plan
from tests.cli.running import run
from tests.study import studies


class PlanTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)

    def test_pictures_are_correct_and_anonymised(self):
        folder = studies.make(self.folder, "--size", "120x90", "--training", 2)
        study = plan.load(folder)
        self.assertLen(study.stimuli, 2 + 2 * 3)
        shown = {}
        for stimulus in study.stimuli:
            self.assertTrue(re.fullmatch(r"[0-9a-f]{16}\.png", stimulus.file))
            with Image.open(folder / plan.PICTURES / stimulus.file) as image:
                shown[stimulus.content, stimulus.model] = np.asarray(image)
        self.assertLen(os.listdir(folder / plan.PICTURES), len(study.stimuli))
        sharp = np.asarray(Image.open(self.folder / "photographs" / "coffee.png"))
        reference = shown["coffee.png", "reference"]
        np.testing.assert_array_equal(reference, sharp[15:105, 20:140])
        blurred = shown["coffee.png", "input"]
        self.assertGreater(np.abs(reference.astype(int) - blurred).mean(), 0.5)
        wanted = kdsharp.load("rt-s-call")(blurred)
        np.testing.assert_array_equal(shown["coffee.png", "rt-s-call"], wanted)

    def test_orders_are_random_and_balanced(self):
        study = plan.load(studies.make(self.folder, "--repeats", 2))
        seen = [order.trials(study, f"rater {n}") for n in range(40)]
        self.assertEqual(seen[0], order.trials(study, "rater 0"))
        files = [[t.stimulus.file for t in trials] for trials in seen]
        self.assertLen({tuple(x) for x in files}, 40)
        rated = [s.file for s in study.stimuli if not s.training]
        for trials in seen:
            training = [t for t in trials if t.stimulus.training]
            self.assertEqual([t.number for t in training], [0, 1, 2])
            once = [t.stimulus.file for t in trials[3:] if not t.again]
            self.assertCountEqual(once, rated)
            again = [t for t in trials if t.again]
            self.assertLen(again, 2)
            for trial in again:
                first = next(t for t in trials if t.stimulus == trial.stimulus)
                self.assertGreater(trial.number - first.number, 0)
        # Each picture comes first about as often as any other.
        first = [names[3] for names in files]
        self.assertGreaterEqual(len(set(first)), 4)

    @parameterized.parameters(
        (("--models", "input", "nobody"), "no weights 'nobody'"),
        (("--models", "input"), "compares two models or more"),
        (("--models", "input", "input"), "compares two models or more"),
        (("--size", "large"), "--size must look like 640x480"),
        (("--degradation", "fog"), "fog"),
        (("--repeats", "-1"), "must be at least 0"),
        (("--images", "{}/nowhere"), "nowhere"),
    )
    def test_user_errors_are_one_sentence_and_create_nothing(self, arguments, words):
        images = studies.pictures(self.folder / "photographs")
        wanted = {"--images": [str(images)], "--models": list(studies.MODELS)}
        name, *values = (argument.format(self.folder) for argument in arguments)
        wanted[name] = values
        given = [x for name, values in wanted.items() for x in (name, *values)]
        status, _, complaints = run("mos", "new", self.folder / "study", *given)
        self.assertEqual(status, 2)
        self.assertIn(words, complaints)
        self.assertLen(complaints.splitlines(), 1)
        self.assertEqual(os.listdir(self.folder), ["photographs"])

    @parameterized.parameters("serve", "report", "try")
    def test_invalid_studies_are_reported(self, verb):
        (self.folder / "study.json").write_text(json.dumps({"title": "half"}))
        status, _, complaints = run("mos", verb, self.folder)
        self.assertEqual(status, 2)
        self.assertIn("is not a study: create one with kdsharp mos new", complaints)


if __name__ == "__main__":
    absltest.main()
