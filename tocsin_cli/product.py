"""Where Tocsin's own files lie: the template, the functions, the pack of signatures, the runbooks.

In a clone they lie at its top; an installed command carries a copy inside itself. Whatever is written goes into ``.tocsin``
of the clone, or of the working directory: never into an installed command.
"""

from __future__ import annotations

from functools import cache
from importlib import metadata
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_WORK = ".tocsin"


@cache
def product_root() -> Path:
    """The folder with ``template.yaml``, ``samconfig.toml``, ``functions`` and ``runbooks``."""
    carried = _PACKAGE / "files"
    return carried if carried.is_dir() else _PACKAGE.parent


def is_clone() -> bool:
    """Whether this command runs from a clone, in which builds and notes may be left."""
    return product_root() == _PACKAGE.parent


def work_folder() -> Path:
    """Where a command leaves what it makes: ``.tocsin`` of one's own configuration folder, else of the clone."""
    if (Path.cwd() / "tocsin.toml").is_file() or not is_clone():
        return Path.cwd() / _WORK
    return product_root() / _WORK


def version() -> str:
    """The version of the command and of the pack that it brings; ``unknown`` where it was not installed."""
    try:
        return metadata.version("tocsin")
    except metadata.PackageNotFoundError:
        return "unknown"
