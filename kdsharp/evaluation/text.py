"""Formats Markdown tables that are aligned in plain text, too."""

from collections.abc import Sequence


def table(lines: Sequence[Sequence[str]], *, words: int = 1) -> str:
    """Formats lines of cells, the first of which is the header.

    The first `words` columns are left-aligned, all others right-aligned.
    """
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rule = [
        "-" * width if at < words else "-" * (width - 1) + ":"
        for at, width in enumerate(widths)
    ]
    return "\n".join(
        "| "
        + " | ".join(
            cell.ljust(width) if at < words else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        + " |"
        for line in (lines[0], rule, *lines[1:])
    )
