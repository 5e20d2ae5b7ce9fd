"""What ends a command in words: `tocsin` prints them behind the command's name, and ends with the status."""

from __future__ import annotations

from typing import ClassVar


class CommandError(Exception):
    """A command cannot do what it was asked to; the message says why, and what to do.

    Attributes:
        status: The exit status: 1 where it was refused, 2 where somebody or something could not be asked.
    """

    status: ClassVar[int] = 1
