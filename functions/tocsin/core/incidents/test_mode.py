"""Signatures in test mode: what they recognise is counted in a group of its own, never in their service's incident."""

from __future__ import annotations

from msgspec.structs import replace

from tocsin.core.model import TEST_MODE_GROUP, OccurrenceCount
from tocsin.core.signatures.signature import Signature, Status


def is_in_test_mode(rule: Signature | None) -> bool:
    """Whether people are not told of a signature's alerts one by one."""
    return rule is not None and rule.status is Status.TEST


def test_mode_status(rule: Signature | None) -> str:
    """What became of a signature that was in test mode: its status now, or ``removed``."""
    return rule.status.value if rule else "removed"


def grouped(counted: OccurrenceCount, rule: Signature) -> OccurrenceCount:
    """The occurrence count in the group that it is told with: its service's, or that of what is in test mode.

    Its fingerprint stays as it is: promoted or not, an envelope is counted once.
    """
    if not is_in_test_mode(rule):
        return counted
    return replace(counted, service=TEST_MODE_GROUP, origin_service=counted.service)
