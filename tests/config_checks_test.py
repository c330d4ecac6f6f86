"""Checks of types, ranges and names of config entries."""

import math

from absl.testing import absltest, parameterized
from ml_collections import ConfigDict

from configs import ablation, base
from kdsharp import config_checks
from kdsharp.errors import UserError


class ChecksTest(parameterized.TestCase):
    @parameterized.parameters(
        ("log_every", 0, "config.log_every must be at least 1, not 0"),
        ("checkpoint_every", 0, "config.checkpoint_every must be at least 1, not 0"),
        ("batch_size", 0, "config.batch_size must be at least 1, not 0"),
        ("epochs", -1, "config.epochs must be at least 1, not -1"),
        ("seed", 2**32, f"config.seed must be from 0 to {2**32 - 1}, not {2**32}"),
        (
            "optimizer.learning_rate",
            -0.1,
            "config.optimizer.learning_rate must be at least 0, not -0.1",
        ),
        (
            "optimizer.learning_rate",
            math.nan,
            "config.optimizer.learning_rate must be finite, not nan",
        ),
        (
            "optimizer.average",
            1.0,
            "config.optimizer.average must be at least 0 and less than 1, not 1.0",
        ),
        ("data.shrink", 1.5, "config.data.shrink must be from 0 to 1, not 1.5"),
        ("data.workers", True, "config.data.workers must be a whole number, not True"),
        ("log_every", 1.5, "config.log_every must be a whole number, not 1.5"),
        ("name", 3, "config.name must be text, not 3"),
        ("teacher.shares", ("a",), "config.teacher.shares must be a tuple of numbers"),
        ("objective.mse", "much", "config.objective.mse must be a number, not 'much'"),
        ("data", 3, "config.data must be a group of entries, not 3"),
        (
            "data.patchsize",
            3,
            "the config has no entry 'data.patchsize'; did you mean 'data.patch_size'?",
        ),
        ("zzz", 3, "the config has no entry 'zzz'"),
    )
    def test_invalid_value_is_a_user_error(self, name, value, message):
        config = base.get_config()
        holder, _, entry = name.rpartition(".")
        group = config[holder] if holder else config
        with group.ignore_type():
            group[entry] = value
        with self.assertRaises(UserError) as raised:
            config_checks.check(config)
        self.assertStartsWith(str(raised.exception), message)
        self.assertNotIn("; config", str(raised.exception))

    def test_all_faults_are_reported_at_once(self):
        config = base.get_config()
        config.log_every = 0
        config.data.shrink = -1.0
        with self.assertRaisesRegex(UserError, "data.shrink .*; config.log_every "):
            config_checks.check(config)

    def test_missing_entries_are_a_user_error(self):
        config = base.get_config()
        del config.log_every
        del config.optimizer.rule
        with self.assertRaisesRegex(
            UserError, "lacks log_every .*lacks optimizer.rule"
        ):
            config_checks.check(config)

    def test_config_of_the_teacher_is_checked_too(self):
        config = base.get_config()
        config.teacher.experiment = base.get_config()
        config_checks.check(config)
        config.teacher.experiment.batch_size = 0
        with self.assertRaisesRegex(UserError, "teacher.experiment.batch_size must be"):
            config_checks.check(config)

    def test_ablation_as_experiment_is_a_user_error(self):
        with self.assertRaisesRegex(UserError, "run it with 'kdsharp ablate'"):
            config_checks.check(ablation.get_config())

    @parameterized.parameters(
        ({"seeds": ()}, "seeds must have at least one"),
        ({"steps": 0}, "config.steps must be at least 1, not 0"),
        ({"evaluations": 0}, "config.evaluations must be at least 1, not 0"),
        ({"baseline": "none"}, "'none' must be one of config.methods: affinity"),
        ({"seed": 3}, "no entry 'seed'; did you mean 'seeds'"),
    )
    def test_invalid_ablation_is_a_user_error(self, change, message):
        plan = ConfigDict(ablation.get_config("smoke"))
        config_checks.check_ablation(plan)
        plan.update(change)
        with self.assertRaisesRegex(UserError, message):
            config_checks.check_ablation(plan)


if __name__ == "__main__":
    absltest.main()
