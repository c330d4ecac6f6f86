"""Lists the benchmarks: `python -m benchmarks`."""

from benchmarks import command

if __name__ == "__main__":
    print(command.listing())
