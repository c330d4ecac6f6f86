"""Split schemes, and the stability of splits."""

import collections
import hashlib

from absl.testing import absltest, parameterized

from kdsharp.data import splits
from kdsharp.errors import UserError

_NAMES = [f"picture{i}.jpg" for i in range(5000)]


class SplitsTest(parameterized.TestCase):
    @parameterized.parameters(
        ("80/10/10", 80, 10, 10),
        ("70/15/15", 70, 15, 15),
        ("80/20", 80, 20, 0),
        ("90/10", 90, 10, 0),
        ("80/20+10", 72, 18, 10),
    )
    def test_splits_have_the_percentages_of_the_scheme(self, scheme, *percents):
        self.assertEqual(splits.percentages(scheme), tuple(percents))
        counts = collections.Counter(splits.hashed_split(n, scheme) for n in _NAMES)
        for split, percent in zip(("train", "valid", "test"), percents, strict=True):
            # Four standard deviations of the binomial.
            deviation = (percent / 100 * (1 - percent / 100) / len(_NAMES)) ** 0.5
            share = counts[split] / len(_NAMES)
            self.assertAlmostEqual(share, percent / 100, delta=4 * deviation)

    def test_default_scheme_uses_the_last_digit_of_the_hash(self):
        for name in _NAMES[:500]:
            digest = hashlib.sha256(name.encode()).hexdigest()
            tenth = int(digest[:16], 16) % 10
            expected = {8: "valid", 9: "test"}.get(tenth, "train")
            self.assertEqual(splits.hashed_split(name), expected)

    @parameterized.parameters(
        "", "80", "80/30", "80/10/20", "100/0", "0/100", "80/20+100", "a/b", "-80/180"
    )
    def test_invalid_scheme_is_a_user_error(self, scheme):
        with self.assertRaisesRegex(UserError, "sum to 100"):
            splits.percentages(scheme)

    def test_groups_stay_together(self):
        names = [f"clip{i}/frame{j}" for i in range(50) for j in range(5)]
        sides = collections.defaultdict(set)
        for split in ("train", "valid", "test"):
            for name in splits.choose(
                names,
                split,
                subfolders={},
                scheme="70/15/15",
                where="here",
                group=lambda name: name.split("/")[0],
            ):
                sides[name.split("/")[0]].add(split)
        self.assertLen(sides, 50)
        self.assertEqual({len(found) for found in sides.values()}, {1})

    def test_without_test_split_the_validation_split_is_used_with_a_warning(self):
        def choose(split):
            return splits.choose(
                _NAMES, split, subfolders={}, scheme="80/20", where="The folder x"
            )

        with self.assertLogs("kdsharp", "WARNING") as logs:
            test = choose("test")
        self.assertEqual(test, choose("valid"))
        self.assertLen(logs.output, 1)
        self.assertIn("The folder x", logs.output[0])
        self.assertIn("also chose the best checkpoint", logs.output[0])

    def test_scheme_for_existing_splits_is_a_user_error(self):
        with self.assertRaisesRegex(
            UserError, r"already divided into train/ and val/: .*\?split=80/20"
        ):
            splits.choose(
                ["train/a", "val/b"],
                "train",
                subfolders={"train": "train", "valid": "val"},
                scheme="80/20",
                where="The folder x",
            )


if __name__ == "__main__":
    absltest.main()
