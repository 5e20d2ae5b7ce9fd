"""The difference between two versions of the configuration: signatures added, changed, removed, and settings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tocsin.adapters.files.configuration import Configuration
from tocsin.core.config.settings import Settings
from tocsin.core.signatures.signature import Signature

_NOT_COMPARED = {"file", "literals"}
_LONGEST = 60


@dataclass(frozen=True, slots=True)
class Changes:
    """The difference.

    Attributes:
        added: Ids that are new.
        changed: By id, what changed of it, one sentence each.
        removed: Ids that are gone.
        settings: Settings that changed, one sentence each.
    """

    added: tuple[str, ...]
    changed: dict[str, list[str]]
    removed: tuple[str, ...]
    settings: tuple[str, ...]

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.added or self.changed or self.removed or self.settings)


def changes(before: Configuration, after: Configuration) -> Changes:
    """Compare two versions.

    Args:
        before: The older one.
        after: The newer one.
    """
    old, new = before.signatures, after.signatures
    changed = {name: list(_signature(old[name], new[name])) for name in new if name in old}
    return Changes(
        added=tuple(name for name in new if name not in old),
        changed={name: words for name, words in changed.items() if words},
        removed=tuple(name for name in old if name not in new),
        settings=tuple(_settings(before.settings, after.settings)),
    )


def _signature(old: Signature, new: Signature) -> Iterator[str]:
    for name in Signature.__struct_fields__:
        before, after = getattr(old, name), getattr(new, name)
        if name in _NOT_COMPARED or before == after:
            continue
        key = "not" if name == "none" else name
        if name in {"matches", "ignores"}:
            yield f"{key}: {len(before)} samples, now {len(after)}"
        elif name in {"severity", "status", "owner", "runbook", "title"}:
            yield f"{key}: {before or 'nothing'}, now {after or 'nothing'}"
        else:
            yield f"{key} changed"


def _settings(old: Settings, new: Settings) -> Iterator[str]:
    for name in Settings.__struct_fields__:
        before, after = getattr(old, name), getattr(new, name)
        if before == after:
            continue
        words = f"{before}, now {after}"
        yield f"{name}: {words}" if len(words) <= _LONGEST else f"{name} changed"
