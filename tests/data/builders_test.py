"""Builders: published layouts become records of the same bytes, without TensorFlow."""

import contextlib
import itertools
import os
import pathlib
import pickle
import resource
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
import tensorflow_datasets as tfds
from absl.testing import absltest, parameterized

from kdsharp.data import pipeline, prepared, sources, splits, workers
from kdsharp.data.builders import originals
from kdsharp.errors import UserError
from tests import waiting
from tests.data import layouts

_ROOT = pathlib.Path(__file__).parents[2]


class BuildersTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.create_tempdir().full_path)
        self.origin = self.root / "origin"
        self.data = self.root / "data"
        old = os.environ.get("TFDS_DATA_DIR")
        os.environ["TFDS_DATA_DIR"] = str(self.data)
        if old is not None:
            self.addCleanup(os.environ.__setitem__, "TFDS_DATA_DIR", old)
        else:
            self.addCleanup(os.environ.pop, "TFDS_DATA_DIR")

    def _prepare(self, name: str, **options) -> prepared.Contents:
        return prepared.prepare(name, self.origin, **options)

    def _records(self, name: str, split: str) -> list:
        path = self.data / name / "1.0.0"
        return list(tfds.builder_from_directory(path).as_data_source(split))

    def test_celeba_keeps_bytes_and_partition(self):
        layouts.celeba(self.origin)
        self._prepare("celeba")
        numbers = {"train": range(1, 9), "valid": (9, 10), "test": (11, 12)}
        for split, expected in numbers.items():
            source = sources.create("tfds:celeba", split)
            self.assertLen(source, len(expected))
            self.assertEqual(source.smallest[1:], (218, 178))
            for number, record in zip(expected, source, strict=True):
                name = f"{number:06d}.jpg"
                path = self.origin / "img_align_celeba" / name
                self.assertEndsWith(record["key"], name)
                np.testing.assert_array_equal(record["sharp"], layouts.read(path))
        first = self._records("celeba", "train")[0]
        path = self.origin / "img_align_celeba/000001.jpg"
        self.assertEqual(first, {"key": b"000001.jpg", "sharp": path.read_bytes()})

    def test_celeba_in_the_layout_of_other_archives(self):
        layouts.celeba(self.origin)
        inner = self.origin / "img_align_celeba/img_align_celeba"
        (self.origin / "img_align_celeba").rename(self.origin / "pictures")
        inner.parent.mkdir()
        (self.origin / "pictures").rename(inner)
        listed = self.origin / "list_eval_partition.txt"
        rows = listed.read_text().replace(" ", ",")
        listed.with_suffix(".csv").write_text("image_id,partition\n" + rows)
        listed.unlink()
        self.assertLen(self._prepare("celeba").places, 12)

    def test_celeba_in_the_publisher_s_folders(self):
        layouts.celeba(self.origin)
        for folder, name in (
            ("Img", "img_align_celeba"),
            ("Eval", "list_eval_partition.txt"),
        ):
            (self.origin / folder).mkdir()
            (self.origin / name).rename(self.origin / folder / name)
        self.assertLen(self._prepare("celeba").places, 12)

    def test_helen_is_split_70_15_15_by_a_hash(self):
        layouts.helen(self.origin, 20)
        self._prepare("helen", processes=2)
        keys = []
        for split in ("train", "valid", "test"):
            for record in sources.create("tfds:helen", split):
                name = record["key"].removeprefix("train/") + ".png"
                for role, folder in (("sharp", "sharp"), ("blurred", "blur")):
                    expected = layouts.read(self.origin / folder / name)
                    np.testing.assert_array_equal(record[role], expected)
                keys.append(name)
        self.assertCountEqual(keys, os.listdir(self.origin / "sharp"))
        train = len(sources.create("tfds:helen?split=50/30/20", "train"))
        self.assertLess(train, len(sources.create("tfds:helen", "train")))

    @parameterized.parameters("", "GOPRO_Large")
    def test_gopro_has_its_official_test_split_and_validates_on_whole_sequences(
        self, inner
    ):
        layouts.gopro(self.origin / inner)
        self._prepare("gopro")
        sequences = {}
        for split in ("train", "valid", "test"):
            source = sources.create("tfds:gopro", split)
            sequences[split] = {r["key"].rpartition("/")[0] for r in source}
            for record in source:
                *folders, frame = record["key"].split("/")
                folder = self.origin.joinpath(inner, *folders)
                for role, name in (("sharp", "sharp"), ("blurred", "blur")):
                    expected = layouts.read(folder / name / f"{frame}.png")
                    np.testing.assert_array_equal(record[role], expected)
        found = {f"train/{p.name}" for p in (self.origin / inner / "train").iterdir()}
        self.assertEqual(sequences["train"] | sequences["valid"], found)
        self.assertEmpty(sequences["train"] & sequences["valid"])
        self.assertEqual(
            sequences["test"], {"test/GOPR0384_11_00", "test/GOPR0385_11_01"}
        )

    def test_gopro_in_another_layout_keeps_sequences_together(self):
        layouts.gopro(self.root / "published")
        for split in ("train", "test"):
            for path in (self.root / "published" / split).glob("*/*/*.png"):
                role = {"sharp": "target", "blur": "input"}.get(path.parent.name)
                if role:
                    to = self.origin / split / role / f"{path.parts[-3]}-{path.name}"
                    to.parent.mkdir(parents=True, exist_ok=True)
                    path.rename(to)
        self._prepare("gopro")
        # The same validation split as with the official layout: a sequence of three.
        keys = [r["key"] for r in sources.create("tfds:gopro", "valid")]
        sequences = {key.partition("/")[2].partition("-")[0] for key in keys}
        expected = {
            name
            for name in ("GOPR0372_07_00", "GOPR0374_11_00", "GOPR0384_11_01")
            if splits.hashed_split(name, "90/10") == "valid"
        }
        self.assertEqual(sequences, expected)
        self.assertLen(keys, 3 * len(expected))

    def test_unusable_pictures_are_left_out_and_reported(self):
        layouts.helen(self.origin, 6)
        names = sorted(os.listdir(self.origin / "sharp"))
        alone, unequal, broken = names[:3]
        (self.origin / "blur" / alone).unlink()
        layouts.save(self.origin / "sharp" / unequal, layouts.picture(0, 256, 255))
        layouts.truncate(self.origin / "blur" / broken)
        held = self._prepare("helen")
        self.assertLen(held.places, 3)
        reasons = {f"{key}.png": reason for key, reason in held.left_out["train"]}
        self.assertEqual(set(reasons), {alone, unequal, broken})
        self.assertIn("has no blurred partner", reasons[alone])
        self.assertIn("sharp picture is 255x256", reasons[unequal])
        self.assertIn("truncated", reasons[broken])

    def test_listed_but_missing_picture_is_left_out(self):
        layouts.celeba(self.origin)
        for number in (9, 10, 11):
            (self.origin / f"img_align_celeba/{number:06d}.jpg").unlink()
        held = self._prepare("celeba")
        self.assertLen(held.places, 9)
        self.assertLen(held.left_out["validation"], 2)
        self.assertLen(held.left_out["test"], 1)

    def test_no_usable_picture_is_a_user_error_and_writes_nothing(self):
        layouts.helen(self.origin, 2)
        for path in (self.origin / "blur").iterdir():
            layouts.truncate(path)
        with self.assertRaisesRegex(UserError, "none of the 2 .*truncated"):
            self._prepare("helen")
        self.assertFalse((self.data / "helen/1.0.0").exists())

    @parameterized.parameters("celeba", "helen", "gopro")
    def test_unprepared_data_set_says_how_to_prepare_it(self, name):
        with self.assertRaisesRegex(
            UserError, f"from http.*kdsharp data prepare {name} --from FOLDER'"
        ):
            sources.create(f"tfds:{name}", "train")

    @parameterized.parameters("celeba", "helen", "gopro")
    def test_unknown_layout_says_what_is_expected(self, name):
        self.origin.mkdir()
        layouts.save(self.origin / "1.png", layouts.picture(0, 16, 16))
        for folder in ("train", "test"):
            layouts.save(self.origin / folder / "1.png", layouts.picture(0, 16, 16))
        with self.assertRaisesRegex(UserError, "does not hold|holds no pairs"):
            self._prepare(name)
        self.assertFalse(self.data.exists())
        with self.assertRaisesRegex(UserError, "no folder .*nowhere"):
            prepared.prepare(name, self.origin / "nowhere")

    def test_unknown_data_set_lists_the_known_ones(self):
        with self.assertRaisesRegex(UserError, "celeba, helen, gopro"):
            sources.create("tfds:mnist", "train")

    def test_official_splits_cannot_be_divided_again(self):
        layouts.celeba(self.origin)
        self._prepare("celeba")
        with self.assertRaisesRegex(UserError, "CelebA is already divided into"):
            sources.create("tfds:celeba?split=80/20", "train")

    def test_preparing_again_does_nothing(self):
        layouts.celeba(self.origin)
        self._prepare("celeba")
        index = self.data / "celeba/1.0.0" / originals.INDEX
        before = index.stat()
        self._prepare("celeba")
        self.assertEqual(index.stat(), before)

    def test_full_disk_is_reported_and_leaves_no_files(self):
        layouts.celeba(self.origin)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, hard))
        try:
            with self.assertRaisesRegex(OSError, "cannot write .*too large"):
                self._prepare("celeba")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        kept = [path.name for path in self.data.rglob("*") if path.is_file()]
        self.assertEqual(kept, ["lock"])
        self.assertLen(self._prepare("celeba").places, 12)

    def test_concurrent_preparation_is_a_user_error(self):
        layouts.celeba(self.origin)
        folder = self.data / "celeba/preparing-1.0.0"
        with (
            workers.exclusive_folder(folder),
            self.assertRaisesRegex(UserError, "another process"),
        ):
            self._prepare("celeba")
        self._prepare("celeba")


class DamageTest(absltest.TestCase):
    """Data sets that were damaged after preparation, or prepared by tfds itself."""

    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.create_tempdir().full_path)
        layouts.celeba(self.root / "origin")

    def _prepared(self, truncated: set[str]) -> prepared.Contents:
        folder = self.root / "origin/img_align_celeba"
        read = prepared.decoding.read
        # Preparation does not decode, as if files were damaged afterwards.
        prepared.decoding.read = lambda file: np.zeros((218, 178, 3), np.uint8)
        try:
            for name in truncated:
                layouts.truncate(folder / name)
            return prepared.prepare(
                "celeba", self.root / "origin", data_dir=self.root / "data"
            )
        finally:
            prepared.decoding.read = read

    def _open(self, split: str = "train") -> prepared.PreparedSource:
        return prepared.open_split("celeba", split, data_dir=self.root / "data")

    def test_truncated_record_is_logged_once_and_replaced_by_the_next(self):
        self._prepared({"000003.jpg", "000008.jpg"})
        source = self._open()
        self.assertLen(source, 8)
        with self.assertLogs("kdsharp", "WARNING") as logs:
            for _ in range(2):
                keys = [record["key"][-7:-4] for record in source]
        self.assertEqual(" ".join(keys), "001 002 004 004 005 006 007 001")
        self.assertLen(logs.output, 2)
        self.assertEqual(source.skipped, ["train/000003.jpg", "train/000008.jpg"])

    def test_threads_and_pickled_copies_read_the_same(self):
        self._prepared(set())
        source = pickle.loads(pickle.dumps(self._open()))
        expected = [record["sharp"] for record in self._open()]
        seen = []
        threads = [
            threading.Thread(target=lambda: seen.append([r["sharp"] for r in source]))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for pictures in seen:
            np.testing.assert_array_equal(pictures, expected)
        self.assertLen(seen, 8)

    def _take(self, count: int, **options) -> list[dict[str, np.ndarray]]:
        batches = pipeline.batches(
            self._open(), batch_size=4, patch_size=64, seed=0, **options
        )
        self.addCleanup(batches.close)
        return list(itertools.islice(batches, count))

    def test_hosts_partition_the_batches(self):
        self._prepared(set())
        shares = [self._take(4, host_index=host, host_count=2) for host in range(2)]
        for whole, first, second in zip(self._take(4), *shares, strict=True):
            np.testing.assert_array_equal(
                np.concatenate([first["sharp"], second["sharp"]]), whole["sharp"]
            )

    @pytest.mark.slow
    def test_worker_processes_give_the_same_batches_without_tensorflow(self):
        self._prepared({"000003.jpg"})
        # Found first by whoever asks for it, in any of the processes.
        (self.root / "tensorflow.py").write_text("raise SystemExit('asked for')")
        sys.path.insert(0, str(self.root))
        self.addCleanup(sys.path.remove, str(self.root))
        np.testing.assert_equal(self._take(6, workers=2), self._take(6))

    def _shard(self) -> pathlib.Path:
        (shard,) = (self.root / "data/celeba/1.0.0").glob("celeba-train*")
        return shard

    def test_truncated_shard_says_what_to_do(self):
        self._prepared(set())
        shard = self._shard()
        shard.write_bytes(shard.read_bytes()[:-1000])
        with self.assertRaisesRegex(UserError, "prepare it again"):
            self._open()[0]

    def test_missing_shard_is_reported_on_opening(self):
        self._prepared(set())
        self._shard().unlink()
        with self.assertRaisesRegex(UserError, "celeba-train.*prepare it again"):
            self._open()

    def test_celeba_prepared_by_tfds_is_read(self):
        folder = self.root / "origin/img_align_celeba"
        _TfdsCeleba.pictures = sorted(folder.iterdir())
        builder = _TfdsCeleba(data_dir=self.root / "data", file_format="array_record")
        builder.download_and_prepare()
        for split, numbers in (("train", range(1, 9)), ("test", (11, 12))):
            source = self._open(split)
            self.assertLen(source, len(numbers))
            for number, record in zip(numbers, source, strict=True):
                expected = layouts.read(folder / f"{number:06d}.jpg")
                np.testing.assert_array_equal(record["sharp"], expected)

    def test_celeba_as_tfrecord_files_says_what_to_do(self):
        folder = self.root / "data/celeb_a/2.1.0"
        folder.mkdir(parents=True)
        (folder / "celeb_a-train.tfrecord-00000-of-00012").touch()
        with self.assertRaisesRegex(
            UserError, "TFRecord files in .*2.1.0, which only TensorFlow"
        ):
            self._open()


class _TfdsCeleba(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """A minimal version of tfds' own builder."""

    VERSION = tfds.core.Version("2.1.0")
    name = "celeb_a"
    url_infos = None
    pictures: list[pathlib.Path]

    def _info(self):
        features = {
            "image": tfds.features.Image(shape=(218, 178, 3), encoding_format="jpeg"),
            "attributes": {"Smiling": np.bool_},
        }
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(features),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager):
        return {
            "train": self._generate_examples(self.pictures[:8]),
            "validation": self._generate_examples(self.pictures[8:10]),
            "test": self._generate_examples(self.pictures[10:]),
        }

    def _generate_examples(self, paths):
        for i, path in enumerate(paths):
            yield i, {"image": path, "attributes": {"Smiling": True}}


# Prepares with one picture per shard, so that preparation can be interrupted.
_PREPARE = """
import sys
from kdsharp.data import builders, prepared, sources

if __name__ == "__main__":
    origin, data, processes = sys.argv[1:]
    builders.load("celeba").SHARD = 1
    held = prepared.prepare("celeba", origin, data_dir=data, processes=int(processes))
    source = prepared.open_split("celeba", "train", data_dir=data)
    print(len(held.places), source[len(source) - 1]["sharp"].shape)
    assert "tensorflow" not in sys.modules
"""


@pytest.mark.slow
class KillTest(parameterized.TestCase):
    @parameterized.parameters(1, 2)
    def test_preparation_continues_after_a_kill(self, processes):
        root = pathlib.Path(self.create_tempdir().full_path)
        layouts.celeba(root / "origin")
        folder = root / "origin/img_align_celeba"
        lines = []
        for number in range(1, 301):
            path = folder / f"{number:06d}.jpg"
            if not path.exists():
                os.link(folder / f"{number % 12 + 1:06d}.jpg", path)
            lines.append(f"{path.name} {0 if number <= 298 else number - 298}\n")
        (root / "origin/list_eval_partition.txt").write_text("".join(lines))
        # Reading a pipe without a writer blocks, so the process can be killed there.
        waits = folder / "000150.jpg"
        waits.unlink()
        os.mkfifo(waits)
        script = root / "script.py"
        script.write_text(_PREPARE)
        # Found first by whoever asks for it, in any of the processes.
        (root / "tensorflow.py").write_text(
            "raise SystemExit('TensorFlow was asked for')"
        )

        def start() -> subprocess.Popen:
            return subprocess.Popen(
                [
                    sys.executable,
                    script,
                    root / "origin",
                    root / "data",
                    str(processes),
                ],
                env=os.environ | {"PYTHONPATH": f"{root}{os.pathsep}{_ROOT}"},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )

        staged = root / "data/celeba/preparing-1.0.0"
        with start() as killed:
            waiting.until(
                lambda: len(_shards(staged)) >= 5,
                "five shards",
                ended=lambda: killed.poll() is not None,
            )
            killed.send_signal(signal.SIGKILL)
            kept = {path.stat().st_ino for path in _shards(staged)}
            with contextlib.suppress(OSError):  # No reader at the pipe any more.
                os.close(os.open(waits, os.O_WRONLY | os.O_NONBLOCK))
            # The pipes close when the last of its processes has ended.
            killed.communicate(timeout=waiting.PATIENCE)
        self.assertEqual(killed.returncode, -signal.SIGKILL)
        self.assertBetween(len(kept), 5, 299)
        self.assertFalse((root / "data/celeba/1.0.0").exists())
        waits.unlink()
        os.link(folder / "000012.jpg", waits)

        with start() as again:
            out, complaints = again.communicate(timeout=waiting.PATIENCE)
        self.assertEqual(out.split("\n")[0], "300 (218, 178, 3)", complaints)
        self.assertEqual(again.returncode, 0, complaints)
        whole = {path.stat().st_ino for path in _shards(root / "data/celeba/1.0.0")}
        self.assertLen(whole, 300)
        self.assertContainsSubset(kept, whole)
        self.assertEqual(os.listdir(root / "data/celeba"), ["1.0.0"])


def _shards(folder: pathlib.Path) -> list[pathlib.Path]:
    return [p for p in folder.glob("*array_record*") if "unfinished" not in p.name]


if __name__ == "__main__":
    absltest.main()
