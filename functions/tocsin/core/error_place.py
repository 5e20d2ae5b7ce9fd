"""Where an unexpected error arose: for our own log, which must not quote an error's text."""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """A line of code."""

    file: str
    line: int


def place_of(error: BaseException) -> Place | None:
    """The innermost line that an error passed; None for one that was never raised."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return None if trace is None else Place(trace.tb_frame.f_code.co_filename, trace.tb_lineno)
