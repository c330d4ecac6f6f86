"""The revision of the code: the commit of a clone, or the package's version."""

import re
import subprocess
from pathlib import Path

from kdsharp import __version__

_PACKAGE = Path(__file__).parent


def describe() -> str:
    """The commit of this project's clone, or else the package's version."""
    return commit(_PACKAGE) or __version__


def commit(package: Path) -> str:
    """The commit of the clone that contains a package; empty if there is none.

    An installed package may be inside another project's repository, which is ignored,
    and git may be missing.
    """
    clone = package.parent
    try:
        setup = (clone / "setup.py").read_text(errors="replace")
    except OSError:
        return ""
    if not re.search(r'name="kdsharp"', setup):
        return ""
    top = _git(clone, "rev-parse", "--show-toplevel")
    if not top or Path(top).resolve() != clone.resolve():
        return ""
    return _git(clone, "describe", "--always", "--dirty")


def _git(folder: Path, *arguments: str) -> str:
    try:
        result = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError:  # git is not installed.
        return ""
    return result.stdout.strip() if result.returncode == 0 else ""
