"""`python -m kdsharp.cli` is `kdsharp`."""

import sys

from kdsharp import cli

if __name__ == "__main__":
    sys.exit(cli.main())
