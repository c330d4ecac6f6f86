"""Runs the command line in this process."""

import contextlib
import io

from kdsharp import cli


def run(*arguments: object) -> tuple[int, str, str]:
    """Runs `kdsharp` and returns (exit status, stdout, stderr)."""
    out, complaints = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(complaints):
        try:
            status = cli.main([str(argument) for argument in arguments])
        except SystemExit as end:
            status = end.code
    return status, out.getvalue(), complaints.getvalue()
