"""Signatures on trial: what they recognise is counted in a group of its own, never in their service's incident."""

from __future__ import annotations

from dataclasses import replace

from tocsin.core.model import ON_TRIAL, Tally
from tocsin.core.signatures.signature import Signature, Status


def is_on_trial(rule: Signature | None) -> bool:
    """Whether people are not told of a signature's alerts one by one."""
    return rule is not None and rule.status is Status.TEST


def trial_status(rule: Signature | None) -> str:
    """What became of a signature that was on trial: its status now, or ``removed``."""
    return rule.status.value if rule else "removed"


def in_its_group(tally: Tally, rule: Signature) -> Tally:
    """The tally in the group that it is told with: its service's, or that of what is on trial.

    Its fingerprint stays as it is: promoted or not, an envelope is counted once.
    """
    if not is_on_trial(rule):
        return tally
    return replace(tally, service=ON_TRIAL, tried_in=tally.service)
