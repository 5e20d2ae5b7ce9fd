"""What recognition asks of whoever knows the signatures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tocsin.core.model import Match


class Recogniser(Protocol):
    """What says what a line is; see ``Matcher``."""

    def suspects(self, messages: Sequence[str]) -> list[int]:
        """The places of those messages in which anything can be recognised."""

    def match_each(
        self, messages: Sequence[str], *, log_group: str = "", service: str = ""
    ) -> list[list[Match]]:
        """What is recognised in each; in a storm many are the same."""

    def explains(self, signature: str, other: str) -> bool:
        """Whether one explains another away."""

    def catches_all(self, signature: str) -> bool:
        """Whether a signature recognises whatever has no name."""
