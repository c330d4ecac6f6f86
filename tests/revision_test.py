"""The revision on cards: the commit of the clone, or else the version."""

import os
import shutil
import subprocess
from pathlib import Path

from absl.testing import absltest

import kdsharp
from kdsharp import revision

_ROOT = Path(__file__).parents[1]


def _git(folder: Path, *arguments: str) -> str:
    environment = os.environ | {
        f"GIT_{role}_{what}": "someone@example.com"
        for role in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    return subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


def _commit_all(folder: Path) -> str:
    _git(folder, "init", "-q")
    _git(folder, "add", "-A")
    _git(folder, "commit", "-q", "-m", "first")
    return _git(folder, "rev-parse", "HEAD")


class RevisionTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.root = Path(self.create_tempdir().full_path)

    def _clone(self) -> Path:
        """Creates the relevant files of a clone."""
        (self.root / "kdsharp").mkdir()
        shutil.copy(_ROOT / "setup.py", self.root)
        (self.root / "kdsharp" / "__init__.py").touch()
        return self.root / "kdsharp"

    def test_clone_of_this_project_has_a_commit(self):
        package = self._clone()
        commit = _commit_all(self.root)
        self.assertStartsWith(commit, revision.commit(package))
        self.assertNotEmpty(revision.commit(package))
        (package / "__init__.py").write_text("changed = True\n")
        self.assertEndsWith(revision.commit(package), "-dirty")

    def test_files_without_git_history_have_no_commit(self):
        self.assertEqual(revision.commit(self._clone()), "")

    def test_package_inside_another_repository_has_no_commit(self):
        package = self.root / "venv" / "site-packages" / "kdsharp"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (self.root / "setup.py").write_text('setup(name="theirs")\n')
        _commit_all(self.root)
        self.assertEqual(revision.commit(package), "")
        # All files, unpacked into the other repository.
        shutil.copy(_ROOT / "setup.py", package.parent)
        self.assertEqual(revision.commit(package), "")

    def test_package_at_the_top_of_another_repository_has_no_commit(self):
        package = self._clone()
        (self.root / "setup.py").write_text('setup(name="theirs")\n')
        _commit_all(self.root)
        self.assertEqual(revision.commit(package), "")

    def test_clone_with_unreadable_setup_has_no_commit(self):
        package = self._clone()
        (self.root / "setup.py").write_bytes(b"\xff\xfe")
        _commit_all(self.root)
        self.assertEqual(revision.commit(package), "")

    def test_without_git_the_version_is_used(self):
        with absltest.mock.patch.dict(os.environ, PATH=str(self.root)):
            self.assertEqual(revision.describe(), kdsharp.__version__)


if __name__ == "__main__":
    absltest.main()
