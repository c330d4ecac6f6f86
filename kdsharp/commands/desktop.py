"""`kdsharp desktop`: actions for GNOME Files and KDE's Dolphin."""

import mimetypes
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from kdsharp.base.atomic_files import atomic_write
from kdsharp.errors import UserError

TITLE = "Sharpen with kdsharp"
# Dolphin offers the action for these types.
_TYPES = "image/jpeg;image/png;image/webp;image/tiff;image/bmp;image/avif;video/*;"


def install() -> None:
    """Writes both actions for the current user."""
    for path, text in _actions().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as unfinished:
            unfinished.write_text(text)
            # Both file managers require the executable bit.
            unfinished.chmod(0o755)
        print(path)


def remove() -> None:
    """Removes the actions that `install` wrote."""
    found = [path for path in _actions() if path.exists()]
    if not found:
        raise UserError("no actions are installed here")
    for path in found:
        path.unlink()
        print(f"removed {path}")


def sharpen(files: Sequence[Path]) -> int:
    """Sharpens each file to NAME.sharp.EXT and shows a notification of the outcome."""
    outcomes = []
    status = 0
    for path in files:
        out = path.with_name(f"{path.stem}.sharp{path.suffix}")
        is_video = (mimetypes.guess_type(path)[0] or "").startswith("video/")
        verb = ["video", path, out] if is_video else ["sharpen", path]
        command = [sys.executable, "-m", "kdsharp", *verb]
        ended = subprocess.run(command, capture_output=True, text=True)
        status = status or ended.returncode
        words = ended.stderr.strip().splitlines()
        outcomes.append(words[-1] if ended.returncode and words else str(out))
    print("\n".join(outcomes))
    if shutil.which("notify-send"):
        title = "Some files could not be sharpened" if status else "Sharpened"
        text = "\n".join(outcomes)
        subprocess.run(["notify-send", "--app-name=kdsharp", title, text])
    return status


def _actions() -> dict[Path, str]:
    """The paths of both actions, and their contents."""
    home = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")
    return {
        home / "nautilus/scripts" / TITLE: _nautilus(),
        home / "kio/servicemenus/kdsharp.desktop": _dolphin(),
    }


def _command() -> list[str]:
    return [sys.executable, "-m", "kdsharp", "desktop", "sharpen"]


def _nautilus() -> str:
    return f"""#!/bin/sh
# A script for GNOME Files, which passes the selected paths one per line.
IFS='
'
set -f
exec {shlex.join(_command())} $NAUTILUS_SCRIPT_SELECTED_FILE_PATHS
"""


def _dolphin() -> str:
    command = " ".join(f'"{part}"' for part in _command())
    return f"""[Desktop Entry]
Type=Service
MimeType={_TYPES}
Actions=sharpen
X-KDE-ServiceTypes=KonqPopupMenu/Plugin

[Desktop Action sharpen]
Name={TITLE}
Icon=image-sharpen
Exec={command} %F
"""
