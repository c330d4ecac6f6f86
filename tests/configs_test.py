"""All configs and variants: complete, with valid names and values."""

import importlib
import json
import pathlib
import re

import jax
import numpy as np
import pytest
from absl.testing import absltest, parameterized
from ml_collections import ConfigDict

from configs import base
from kdsharp import ablation, config_checks, models
from kdsharp.config_files import load_config
from kdsharp.core import degradations, objectives, views
from kdsharp.data import pipeline, sources
from kdsharp.errors import UserError
from kdsharp.evaluation.bench import operations
from kdsharp.training import optimizers, teaching
from kdsharp.training.stopping import Patience
from kdsharp.weights import fold, store

_ROOT = pathlib.Path(__file__).parents[1]
_REPORTS = sorted(
    path.stem
    for path in (_ROOT / "configs" / "reports").glob("*.py")
    if path.stem != "common"
)
_MAIN_LINE = ("student", "student:full", "teacher", "teacher:full")
_ZOO = (
    "zoo/photographs:rt-l-photo",
    "zoo/photographs:rt-xl-photo",
    *(
        f"zoo/{file}:{network}-{blur}"
        for file, networks, blurs in (
            ("real_time", ("rt-s", "rt-m"), ("bicubic2", "bicubic2-alone")),
            ("real_time", ("rt-sm", "rt-l", "rt-xl"), ("bicubic2",)),
            ("calls", ("rt-s", "rt-t", "rt-m", "rt-xl"), ("call",)),
            ("calls", ("rt-s", "rt-m"), ("scratch",)),
            ("dncnn", ("dncnn17", "dncnn8"), ("bicubic2", "call")),
            ("dncnn", ("dncnn8",), ("bicubic2-alone",)),
        )
        for network in networks
        for blur in blurs
    ),
)


def _module(report: str):
    return importlib.import_module(f"configs.reports.{report}")


def _specs() -> list[str]:
    of_reports = [
        f"reports/{report}:{variant}"
        for report in _REPORTS
        for variant in _module(report).VARIANTS
    ]
    return [*_MAIN_LINE, *_ZOO, *of_reports]


def _load(spec: str) -> ConfigDict:
    name, colon, variant = spec.partition(":")
    return load_config(f"{_ROOT}/configs/{name}.py{colon}{variant}")


def _experiments(config: ConfigDict) -> list[ConfigDict]:
    """The experiment, and that of its teacher if it describes one."""
    nested = config.teacher.get("experiment")
    return [config, *(_experiments(nested) if nested else [])]


def _entries(config: ConfigDict) -> set[str]:
    """The names of a config's entries, without those of loss terms and networks."""
    entries = set()
    for name, value in config.items():
        if isinstance(value, ConfigDict) and name not in ("model", "objective"):
            entries |= {f"{name}.{inner}" for inner in value}
        else:
            entries.add(name)
    return entries - {"teacher.experiment"}


class ConfigsTest(parameterized.TestCase):
    @parameterized.parameters(*_specs())
    def test_config_is_complete_and_valid(self, spec):
        for config in _experiments(_load(spec)):
            self.assertEqual(_entries(config), _entries(base.get_config()))
            config_checks.check(config)
            models.create(**config.model, dtype=config.dtype)
            taught = config.teacher.weights or config.teacher.get("experiment")
            objectives.create(config.objective, [1.0] if taught else [])
            if objectives.needing("vgg", objectives.in_use(config.objective)):
                self.assertNotEmpty(config.vgg)
            degradations.create(config.degradation)
            optimizers.create(config.optimizer, steps=10, steps_per_epoch=5)
            Patience(config.stopping.metric, config.stopping.patience)
            teaching.parse_layers(config.features)
            views.create(config.views)
            self.assertIn(config.data.augment, pipeline.AUGMENTATIONS)
            self.assertIn(config.parallel, ("jit", "pmap"))
            self.assertNotEmpty(config.data.licence)

    @parameterized.parameters(*_specs())
    def test_source_is_valid(self, spec):
        nowhere = self.create_tempdir().full_path
        with absltest.mock.patch.dict("os.environ", TFDS_DATA_DIR=nowhere):
            for config in _experiments(_load(spec)):
                try:
                    # Not `train`, so that nothing has to be generated.
                    source = sources.create(config.data.source, "valid")
                except UserError as error:
                    self.assertRegex(str(error), "photographs|is not prepared in")
                else:
                    self.assertStartsWith(config.data.source, "embedded")
                    self.assertLen(source, 3)

    @parameterized.parameters(*_specs())
    def test_config_round_trips_through_json(self, spec):
        config = _load(spec)
        restored = ConfigDict(json.loads(config.to_json()))
        self.assertEqual(restored.to_json(), config.to_json())

    @parameterized.parameters("rt-s", "rt-m")
    @pytest.mark.slow
    def test_candidates_stay_below_the_operations_of_their_size(self, size):
        search, shared = ablation.load(f"{_ROOT}/configs/zoo/search.py:{size}")
        for name, change in search.methods.items():
            config = shared.copy_and_resolve_references()
            config.update(change)
            arguments, _ = fold.collapse(
                json.loads(config.model.to_json()), {"params": {}}
            )
            cost = operations.per_frame(arguments, 720, 1280)
            self.assertLessEqual(cost, {"rt-s": 4e9, "rt-m": 12e9}[size], name)

    @parameterized.parameters(*_ZOO)
    def test_recipe_has_the_name_of_its_weights(self, spec):
        self.assertEqual(_load(spec).name, spec.partition(":")[2])

    @parameterized.parameters(
        ("zoo/dncnn:dncnn8-bicubic2", "dncnn17-bicubic2"),
        ("zoo/real_time:rt-s-bicubic2", "rt-xl-bicubic2"),
        ("zoo/real_time:rt-m-bicubic2", "rt-xl-bicubic2"),
    )
    def test_students_use_a_shipped_teacher(self, spec, teacher):
        config = _load(spec)
        self.assertEqual(config.teacher.weights, teacher)
        taught = store.load(teacher).card["model"]
        # Luma students need a luma teacher.
        self.assertEqual(taught["channels"], config.model.channels)
        self.assertEqual(_load(f"{spec}-alone").teacher.weights, "")

    @parameterized.parameters(*store.shipped())
    def test_shipped_weights_have_a_recipe_of_their_network(self, name):
        card = store.load(name).card
        spec = re.search(r"configs/(zoo/\w+)\.py(:\S+)", card["command"])
        config = _load("".join(spec.groups()))
        self.assertEqual(config.name, name)
        arguments, _ = fold.collapse(json.loads(config.model.to_json()), {"params": {}})
        self.assertEqual(arguments, card["model"])
        self.assertEqual(config.degradation, card["degradation"])


class ReportsTest(parameterized.TestCase):
    @parameterized.parameters(*_REPORTS)
    def test_docstring_has_the_commands(self, report):
        module = _module(report)
        for variant in module.VARIANTS:
            command = f"kdsharp.main --config=configs/reports/{report}.py:{variant}\n"
            self.assertIn(command, module.__doc__)
        with self.assertRaisesRegex(ValueError, "unknown variant 'huge'.*student"):
            module.get_config("huge")

    @parameterized.parameters(*_REPORTS)
    def test_student_finds_its_teacher(self, report):
        module = _module(report)
        teacher = module.get_config("teacher")
        self.assertEqual(teacher.teacher.weights, "")
        taught = module.get_config("student")
        self.assertEqual(taught.teacher.weights, f"runs/{teacher.name}")
        for variant in ("quick", "smoke"):
            config = module.get_config(variant)
            self.assertEqual(config.teacher.weights, "")
            # Both need the same number of devices.
            self.assertEqual(config.teacher.experiment.batch_size, config.batch_size)

    def test_runs_have_different_folders(self):
        names = [_load(spec).name for spec in _specs() if spec.startswith("reports/")]
        self.assertLen(set(names), len(names))

    @parameterized.parameters(
        ("conference_dncnn:teacher", 558_403),
        ("conference_dncnn:student", 57_315),
        ("conference_dncnn:listing", 11_011),
        ("helen_dncnn:teacher", 558_403),
        ("helen_dncnn:student", 20_355),
        ("celeba_unet:teacher", 467_875),
        ("celeba_unet:student", 20_190),
        ("gopro_swinir:teacher", 11_504_163),
        ("gopro_swinir:student", 503_683),
        ("bicubic4_cnn:teacher", 40_451),
        ("bicubic4_cnn:student", 5_523),
    )
    def test_networks_have_the_documented_size(self, spec, expected):
        config = _load(f"reports/{spec}")
        shapes = jax.eval_shape(
            models.create(**config.model).init,
            jax.random.key(0),
            np.zeros((1, 16, 16, 3), np.float32),
        )
        count = sum(leaf.size for leaf in jax.tree.leaves(shapes["params"]))
        self.assertEqual(count, expected)
        module = _module(spec.partition(":")[0])
        if "teacher" not in spec:
            self.assertIn(f"{expected:,}", module.__doc__)


if __name__ == "__main__":
    absltest.main()
