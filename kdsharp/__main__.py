"""`python -m kdsharp` is the command `kdsharp`."""

import sys

from kdsharp import cli

if __name__ == "__main__":
    sys.exit(cli.main())
