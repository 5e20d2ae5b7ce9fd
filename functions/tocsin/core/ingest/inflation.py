"""Inflating what a subscription delivers: base64 and gzip, within bounds.

A module of its own because for nearly every batch it is the only reading that is done: what a cold start must import
before its first answer is this and one search. For the same reason only a large delivery is worth importing a faster
library than zlib; zlib remains the reference, and says what is wrong with what cannot be read.
"""

from __future__ import annotations

import binascii
import zlib
from typing import Final

MAX_INFLATED: Final = 64 * 1024 * 1024
"""Bytes an envelope may inflate to. A PutLogEvents batch holds at most 1 MiB, so that a real envelope stays
under a few MiB even when every character is escaped; a hand-made one can inflate a thousandfold."""

LARGE: Final = 16 * 1024
"""Bytes of gzip from which on a faster library is worth its import, once in a process: about 3 ms."""

_PLAIN_GZIP: Final = b"\x1f\x8b\x08\0"
"""How gzip begins that has nothing but the data: no name, no comment."""
_GZIP: Final = 31  # zlib's window bits for "gzip header and trailer"


class EnvelopeError(ValueError):
    """An envelope that cannot be read; its text says what is wrong and what to do. Never retryable."""


def inflate(data: str | bytes, *, limit: int = MAX_INFLATED) -> bytes:
    """Decode base64 and gzip, without ever holding more than the limit.

    Args:
        data: ``awslogs.data`` of a Lambda event, or ``kinesis.data`` of a Kinesis record.
        limit: Bytes the result may have.

    Returns:
        The JSON text as bytes, not yet parsed. Several gzip members are joined, as the format allows.

    Raises:
        EnvelopeError: Not base64, not gzip, cut off, damaged, or larger than the limit.
    """
    packed = _unbase64(data)
    parts: list[bytes] = []
    if len(packed) >= LARGE and packed.startswith(_PLAIN_GZIP):
        whole = _inflated_fast(packed, limit)
        if whole is not None:
            return whole
    room = limit + 1
    while packed:
        member = zlib.decompressobj(_GZIP)
        try:
            part = member.decompress(packed, room)
        except zlib.error as error:
            raise EnvelopeError(
                f"the data is not gzip, or damaged ({error}); expected the base64 of gzip that a CloudWatch "
                "Logs subscription sends"
            ) from None
        parts.append(part)
        room -= len(part)
        if room <= 0:
            raise EnvelopeError(
                f"the data inflates to more than {limit:,} bytes; no subscription delivers that much, so it was "
                "not read. If it is genuine, replay it in smaller batches"
            )
        if not member.eof:
            raise EnvelopeError(
                "the gzip data ends too early: the record was cut off on its way; send it again"
            )
        packed = member.unused_data.lstrip(b"\0")  # gzip allows zero padding after a member
    if not parts:
        raise EnvelopeError(
            "the data is empty; expected the base64 of gzip that a CloudWatch Logs subscription sends"
        )
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _inflated_fast(packed: bytes, limit: int) -> bytes | None:
    """What one member of gzip holds, in a third of the time; None where anything is the matter: zlib says what."""
    from isal import isal_zlib

    member = isal_zlib.decompressobj(_GZIP)
    try:
        whole: bytes = member.decompress(packed, limit)
    except Exception:  # whatever is the matter, zlib says it
        return None
    return whole if member.eof and not member.unused_data else None


def _unbase64(data: str | bytes) -> bytes:
    try:
        return binascii.a2b_base64(data, strict_mode=True)
    except (ValueError, TypeError):
        pass  # not yet an error: a file made with the base64 command has line breaks
    try:
        text = data if isinstance(data, str) else data.decode("ascii")
        return binascii.a2b_base64("".join(text.split()), strict_mode=True)
    except (ValueError, AttributeError) as error:
        raise EnvelopeError(
            f"the data is not base64 ({error}); expected the base64 of gzip that a CloudWatch Logs subscription sends"
        ) from None
