"""How every command prints a path: as one can click it, or paste it, from where one stands."""

from __future__ import annotations

from pathlib import Path


def shown(path: Path) -> str:
    """A path relative to the working directory where it is below it, otherwise absolute.

    Args:
        path: A path as it was given or made; symbolic links in it are followed.
    """
    resolved, here = path.resolve(), Path.cwd()
    return str(resolved.relative_to(here)) if resolved.is_relative_to(here) else str(resolved)
