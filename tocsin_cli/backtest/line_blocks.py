"""Log files read a block at a time: the same lines as `file_kinds.read_lines` gives, several times as fast.

Where the lines of a block are all alike (JSON objects of the plain kind, or text that begins with a time in ISO 8601), the
block is decoded and its times are read in one go. What is not like that is read line by line as ever: that is the reference,
and nothing but speed depends on which of the two reads a line.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from itertools import chain, islice
from typing import NamedTuple

from tocsin.core.model import LATEST, Millis
from tocsin.core.times import parse_iso_time
from tocsin_cli.backtest.file_kinds import (
    JSON_LINE,
    OF_TAIL,
    TRACEBACK,
    TRACEBACKS,
    begins_list,
    read_lines,
    text_entries,
)
from tocsin_cli.backtest.line_times import Timeline
from tocsin_cli.backtest.log_files import MAX_LINE_LENGTH, Reading, each_line, opened
from tocsin_cli.simulation import BLOCK, LoggedLine

BLOCK_SIZE = 1 << 18
"""Bytes that are read at once."""
PART = 64
"""Lines of a block that are tried by themselves where not all of them are alike."""
_MIN_MILLIS = 100_000_000_000
"""A number below it is not sure to be milliseconds."""

_ISO = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)([.,]\d{3,9})?(Z|[+-]\d\d:?\d\d)?", re.ASCII)
_SECONDS, _MILLIS = slice(19), slice(20, 23)
_SAME_DIGITS = str.maketrans("123456789", "0" * 9)


class LineBlock(NamedTuple):
    """Lines of one file that follow one another: columns of the same length.

    Attributes:
        times: When each was logged.
        messages: What was logged.
        groups: The log group of each.
        streams: The stream of each.
    """

    times: list[Millis]
    messages: list[str]
    groups: list[str]
    streams: list[str]

    def line(self, place: int) -> LoggedLine:
        """One of the lines."""
        return LoggedLine(self.times[place], self.messages[place], self.groups[place], self.streams[place])


def read_blocks(name: str, reading: Reading) -> Iterator[LineBlock]:
    """Read one file, or standard input for ``-``.

    Raises:
        OSError: It cannot be read.
    """
    with opened(name, reading) as file:
        timeline = Timeline(reading, name, file.log_group, file.year)
        pieces = _pieces(file.content)
        ahead: list[str] = []
        for piece in pieces:  # up to the first line that is not blank: it says of which kind the file is
            ahead.append(piece)
            if piece.strip():
                break
        first = next((line for line in _split("".join(ahead)) if line.strip()), "")
        pieces = chain(ahead, pieces)
        if reading.multiline or begins_list(first):
            lines = (line for piece in pieces for line in each_line(io.StringIO(piece)))
            yield from _in_blocks(read_lines(lines, timeline))
            return
        for piece in pieces:
            yield from _read_piece(piece, timeline)
        yield from _in_blocks(timeline.end())


def _pieces(content: io.BufferedReader) -> Iterator[str]:
    """The text in pieces that end where a line does, or where an endless one is cut."""
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    rest = ""
    while block := content.read(BLOCK_SIZE):
        text = rest + decode(block)
        end = text.rfind("\n") + 1 or len(text) // MAX_LINE_LENGTH * MAX_LINE_LENGTH
        rest = text[end:]
        if end:
            yield text[:end]
    if rest := rest + decode(b"", final=True):
        yield rest


def _split(piece: str) -> list[str]:
    """Lines without their line feeds, of which an endless one is taken in parts."""
    lines = piece.split("\n")
    if not lines[-1]:
        lines.pop()
    if len(piece) > MAX_LINE_LENGTH and max(map(len, lines)) > MAX_LINE_LENGTH:
        lines = [
            line[start : start + MAX_LINE_LENGTH]
            for line in lines
            for start in range(0, len(line), MAX_LINE_LENGTH)
        ]
    return [line.rstrip("\r") for line in lines] if "\r" in piece else lines


def _read_piece(piece: str, timeline: Timeline) -> Iterator[LineBlock]:
    if block := _json_lines(piece.rstrip("\n"), timeline):  # which need not be split
        yield block
        return
    lines = _split(piece)
    if block := _all_alike(lines, timeline):
        yield block
        return
    for start in range(0, len(lines), PART):
        part = lines[start : start + PART]
        if block := _all_alike(part, timeline):
            yield block
        else:
            yield from _in_blocks(_one_by_one(part, timeline))


def _one_by_one(lines: list[str], timeline: Timeline) -> Iterator[LoggedLine]:
    for entry in text_entries(lines, timeline.reading, timeline.name):
        yield from timeline.place(entry)


def _all_alike(lines: list[str], timeline: Timeline) -> LineBlock | None:
    """Lines that are all of one kind; None where they are not, or not of a kind that is known here."""
    if not lines:
        return None
    return _timed_text(lines, timeline) or _json_lines("\n".join(lines), timeline)


def _json_lines(text: str, timeline: Timeline) -> LineBlock | None:
    """JSON objects with nothing but a message, a time and where it is from, one a line."""
    if timeline.is_waiting or not (text.startswith("{") and text.endswith("}")):
        return None
    # No object of this kind holds another, and no line feed may be in a string: one between two lines is between two objects.
    lines = text.count("\n")
    if text.count("}\n{") != lines or len(text) > MAX_LINE_LENGTH:
        return None
    try:
        read = JSON_LINE.decode_lines(text)
    except (ValueError, RecursionError):
        return None
    if len(read) != lines + 1:
        return None
    times = _given_times([line.timestamp for line in read])
    if times is None:
        return None
    timeline.pass_to(times[-1])
    other = timeline.group_of_others
    return LineBlock(
        times,
        [line.message for line in read],
        [line.log_group or other for line in read],
        [line.log_stream for line in read],
    )


def _given_times(given: list[int | str | None]) -> list[Millis] | None:
    numbers = [at for at in given if isinstance(at, int)]
    if len(numbers) == len(given):
        return numbers if min(numbers) >= _MIN_MILLIS and max(numbers) < LATEST else None
    texts = [at for at in given if isinstance(at, str)]
    return _iso_times(texts) if len(texts) == len(given) and _ISO.fullmatch(texts[0]) else None


def _timed_text(lines: list[str], timeline: Timeline) -> LineBlock | None:
    """Text of which every line begins with a time, all written in the same way."""
    found = _ISO.match(lines[0])
    if timeline.is_waiting or not found:
        return None
    end = found.end()
    behind = lines[0][end : end + 1]
    if behind not in {" ", "\t", "]", "|"}:
        return None
    times = _iso_times([line[: end + 1] for line in lines])
    if times is None:
        return None
    if TRACEBACK in "\n".join(lines):
        timeline.reading.say(TRACEBACKS.format(name=timeline.name))
    messages, streams = lines, [""] * len(lines)
    slash = end + len(" 2026")  # of the date that a stream of Lambda begins with
    if found[3] == "+00:00" and "/" in [line[slash : slash + 1] for line in lines]:
        of_tail = [each for line in lines if (each := OF_TAIL.match(line))]
        if len(of_tail) == len(lines):
            messages = [each.string[each.end() :] for each in of_tail]
            streams = [each[2] for each in of_tail]
        elif of_tail:
            return None
    timeline.pass_to(times[-1])
    return LineBlock(times, messages, [timeline.group_of_others] * len(lines), streams)


def _iso_times(stamps: list[str]) -> list[Millis] | None:
    """Times that are written in the very same way; None where they are not, or where one of them is no time.

    Args:
        stamps: Times in ISO 8601, with anything behind them that is the same for all.
    """
    shape = stamps[0].translate(_SAME_DIGITS)
    if "\n".join(stamps).translate(_SAME_DIGITS) != "\n".join([shape] * len(stamps)):
        return None
    found = _ISO.match(stamps[0])
    if not found:
        return None
    zone = found[3] or ""
    base: dict[str, Millis] = {}
    for second in {stamp[_SECONDS] for stamp in stamps}:
        at = parse_iso_time(second + zone)
        if at is None or second[11:13] == "24":
            return None
        base[second] = at
    if not found[2]:
        return [base[stamp[_SECONDS]] for stamp in stamps]
    return [base[stamp[_SECONDS]] + int(stamp[_MILLIS]) for stamp in stamps]


def _in_blocks(lines: Iterator[LoggedLine]) -> Iterator[LineBlock]:
    while held := list(islice(lines, BLOCK)):
        yield LineBlock(
            [line.timestamp for line in held],
            [line.message for line in held],
            [line.log_group for line in held],
            [line.log_stream for line in held],
        )
