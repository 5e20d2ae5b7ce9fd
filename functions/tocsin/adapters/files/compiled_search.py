"""The compiled form of a configuration: whether it fits, and the one search that rules out nearly every batch.

The form is two files beside the signatures: ``compiled.json`` has them as they were found right, ``search.json`` has the
search alone, with which a cold start gives its first answer before a signature is read or a setting parsed. A build makes
them (`configuration.make_compiled_form`) from exactly the files and the code that it packages, and each says of which.

Imports the standard library only: a build looks at the form before any dependency is there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from tocsin.core.problems import ConfigurationError

COMPILED_SEARCH = "signatures/search.json"
COMPILED = "signatures/compiled.json"

_CODE = Path(__file__).resolve().parents[3]
_MAKER = "tocsin/adapters/files/configuration.py"


class CompiledSearch(NamedTuple):
    """The search of a configuration, as one expression and as what that is put together from.

    Attributes:
        expression: For `RawSearch`.
        exact: The words of each literal that is looked for as it is written.
        any_case: Those of the others.
        others: What else is looked for, as RE2 expressions.
    """

    expression: str
    exact: list[str]
    any_case: list[str]
    others: list[str]


def compiled_search(root: Path) -> CompiledSearch:
    """The search that the build made.

    Args:
        root: The deployment root.

    Raises:
        ConfigurationError: The file is missing, or of another configuration.
    """
    content = _content(root, COMPILED_SEARCH)
    if content.get("configuration") != configuration_digest(root) or not {*CompiledSearch._fields} <= {
        *content
    }:
        raise stale_form(COMPILED_SEARCH)
    return CompiledSearch(**{name: content[name] for name in CompiledSearch._fields})


def stale_form(name: str) -> ConfigurationError:
    """What is said where a function cannot start because its package is not one that a build made."""
    from tocsin.core.problems import ConfigurationError

    return ConfigurationError.of(
        name,
        "",
        "missing, or made for other signatures or another tocsin.toml than are in this package: "
        "something was changed after the build; run sam build (or tocsin build), and deploy again",
    )


def stale_files(root: Path) -> list[str]:
    """Which files of the compiled form are missing, or are of another configuration or another code.

    Args:
        root: The deployment root.
    """
    fits = form_digests(root).items()
    return [name for name in (COMPILED, COMPILED_SEARCH) if not fits <= _content(root, name).items()]


def form_digests(root: Path) -> dict[str, str]:
    """What a compiled form that fits says of itself.

    A build and a command look at both. A function looks at ``configuration`` alone: its form was made by the code that it
    came with, and its byte code runs whatever the sources beside it say.
    """
    return {"configuration": configuration_digest(root), "code": _digest(_CODE, code_files())}


def configuration_digest(root: Path) -> str:
    """What names a configuration: ``tocsin.toml`` and the signatures, no environment.

    Args:
        root: The deployment root.
    """
    found = [*sorted(root.glob("*.toml")), *sorted(root.glob("signatures/*.toml"))]
    return _digest(root, [path.relative_to(root).as_posix() for path in found])


def code_files() -> list[str]:
    """The modules that make the compiled form, below the deployment root: the maker, and what it imports in turn."""
    import re

    found: set[str] = set()
    waiting = {_MAKER}
    while waiting:
        name = waiting.pop()
        found.add(name)
        text = re.sub(r"(?m)^if TYPE_CHECKING:\n(?:    .*\n|\n)+", "", (_CODE / name).read_text("utf-8"))
        modules = re.findall(r"(?m)^ *(?:from|import) (tocsin[.\w]*)", text)
        imported = {module.replace(".", "/") + ".py" for module in modules}
        waiting |= {each for each in imported - found if (_CODE / each).is_file()}
    return sorted(found)


def _digest(folder: Path, names: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for name in names:
        content = (folder / name).read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _content(root: Path, name: str) -> dict[str, Any]:
    try:
        content = json.loads((root / name).read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
