"""Which of the signatures that recognise one line speak, and which are explained away by another of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tocsin.core.model import Match
from tocsin.core.signatures.signature import Signature, Status


class Precedence:
    """Who explains whom: a signature what it inhibits, and whatever has a name what is only caught by a catch-all.

    Args:
        signatures: By id.
    """

    def __init__(self, signatures: Mapping[str, Signature]) -> None:
        self._signatures = signatures
        self._explains = {name: _all_inhibited(name, signatures) for name in signatures}
        self._ranks = {
            name: (signature.catch_all, -len(self._explains[name]), place)
            for place, (name, signature) in enumerate(signatures.items())
        }

    def rank(self, name: str) -> tuple[bool, int, int]:
        """What signatures are sorted by so that the most specific are tried first."""
        return self._ranks[name]

    def explained_by(self, name: str, found: Iterable[Match | None]) -> str:
        """The matching signature that explains another one away, or the empty string.

        One in test mode explains only others in test mode: what people are told must not change by a rule that is not told.
        """
        told = (Status.STABLE, self._signatures[name].status)
        others = [
            match.signature
            for match in found
            if match is not None
            and match.signature != name
            and self._signatures[match.signature].status in told
        ]
        if self._signatures[name].catch_all:
            return next((other for other in others if not self._signatures[other].catch_all), "")
        return next((other for other in others if name in self._explains[other]), "")


def _all_inhibited(name: str, signatures: Mapping[str, Signature]) -> frozenset[str]:
    """Whatever a signature explains: what it inhibits, and what that inhibits."""
    seen, ahead = set[str](), [name]
    while ahead:
        for other in signatures[ahead.pop()].inhibits:
            if other not in seen and other in signatures:
                seen.add(other)
                ahead.append(other)
    return frozenset(seen - {name})
