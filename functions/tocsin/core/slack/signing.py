"""Whether a request comes from Slack: its signature, version 0, and its age.

Source: docs.slack.dev/authentication/verifying-requests-from-slack.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from enum import StrEnum
from typing import Final

from tocsin.core.model import Millis

MAX_AGE: Final[Millis] = 5 * 60_000
"""How far the time of a request may be from ours, either way."""

MAX_BODY: Final = 64 * 1024
"""Bytes; a press comes with the whole message it is on, which is at most 13 KB of blocks, escaped once more."""

_TIMESTAMP = re.compile(r"[0-9]{1,12}")
_SIGNATURE = re.compile(r"v0=[0-9a-f]{64}")


class Refusal(StrEnum):
    """Why a request is refused: for our own metric and log, never for who sent it."""

    TOO_LARGE = "too large"
    NOT_SIGNED = "not signed"
    TOO_OLD = "too old"
    WRONG_SIGNATURE = "wrong signature"
    REPLAYED = "replayed"
    UNREADABLE = "unreadable"
    ANOTHER_APP = "another app or team"


def refusal_of(secret: str, timestamp: str, signature: str, body: bytes, now: Millis) -> Refusal | None:
    """Say why a request is not Slack's, or None if it is.

    Args:
        secret: The app's signing secret; an empty one signs nothing.
        timestamp: The header ``X-Slack-Request-Timestamp``, seconds.
        signature: The header ``X-Slack-Signature``.
        body: The body as it came.
        now: The time.
    """
    if len(body) > MAX_BODY:
        return Refusal.TOO_LARGE
    if not secret or not _TIMESTAMP.fullmatch(timestamp) or not _SIGNATURE.fullmatch(signature):
        return Refusal.NOT_SIGNED
    if abs(now - int(timestamp) * 1000) > MAX_AGE:
        return Refusal.TOO_OLD
    if not hmac.compare_digest(signature_of(secret, timestamp, body), signature):
        return Refusal.WRONG_SIGNATURE
    return None


def signature_of(secret: str, timestamp: str, body: bytes) -> str:
    """What Slack signs a request with."""
    signed = b"v0:" + timestamp.encode() + b":" + body
    return "v0=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
