"""What ends a report: one line for the person who runs it."""

from __future__ import annotations


def printable(text: str) -> str:
    """Spell characters that would break, colour or turn round a line as Python does.

    Args:
        text: Anything, such as what a database answered.

    Returns:
        One line.
    """
    joined = " ".join(text.split())
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in joined)


class ReportError(Exception):
    """No page can be written: what happened, where, and what to do."""

    def __str__(self) -> str:
        return printable(super().__str__())
