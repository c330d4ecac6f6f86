"""Runs `kdsharp` as `python -m kdsharp.cli`."""

import sys

from kdsharp import cli

if __name__ == "__main__":
    sys.exit(cli.main())
