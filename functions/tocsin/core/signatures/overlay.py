"""What one's own configuration changes in the pack of signatures: ``[override.<id>]`` and ``[pack]`` of ``tocsin.toml``.

A signature of the pack is changed without being copied, so that the next version of the pack still improves it:

    [override.lambda-timeout]
    severity = "medium"
    matches  = ["Task timed out after 3.00 seconds"]   # added to the samples of the pack

    [pack]
    off = ["python"]   # a family: the name of a file of the pack
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from tocsin.core.config.settings import FILE
from tocsin.core.problems import Problem, did_you_mean
from tocsin.core.signatures.signature import UNKNOWN_ERROR
from tocsin.core.table_reader import TableReader

REPLACED = ("severity", "status", "owner", "runbook", "resolve_after")
"""Keys of an override that stand in place of the pack's."""
LAID_OVER = ("scope", "threshold")
"""Tables of an override whose keys are laid over those of the pack's table."""
ADDED = ("matches", "ignores")
"""Lists of an override that are added to the pack's."""
KEYS = (*REPLACED, *LAID_OVER, *ADDED, "off")
PACK_FOLDER = "pack"
"""How files of a pack below one's own configuration are named: ``pack/lambda.toml``."""
OWN_PREFIX = "own."
"""How the files of one's own signatures begin in what is built; families of the pack never do."""


class Overlay(NamedTuple):
    """The changes.

    Attributes:
        overrides: By the id of the signature, what its table gets.
        off: The families of the pack that are not looked for.
    """

    overrides: Mapping[str, Mapping[str, Any]]
    off: tuple[str, ...]

    def __bool__(self) -> bool:
        """Whether anything is changed."""
        return bool(self.overrides or self.off)


def read_overlay(data: Mapping[str, Any]) -> tuple[Overlay, list[Problem]]:
    """Read the two tables.

    Args:
        data: ``tocsin.toml``, parsed.

    Returns:
        What they change, and what is wrong with their structure.
    """
    top = TableReader(FILE, "", data)
    overrides: dict[str, Mapping[str, Any]] = {}
    for name, given in top.subtable("override").subtables():
        for key in given.table:
            if key not in KEYS:
                near = did_you_mean(key, KEYS)
                given.wrong(key, f"cannot be overridden{near}; what can is {', '.join(KEYS)}")
        given.flag("off")
        if {"off", "status"} <= given.table.keys():
            given.wrong("off", "give off or status, not both")
        for key in LAID_OVER:
            given.subtable(key)
        for key in ADDED:
            if not isinstance(given.table.get(key, []), list):
                given.wrong(key, "must be a list of samples")
        overrides[name] = given.table
    pack = top.subtable("pack")
    pack.only(("off",))
    return Overlay(overrides, pack.strings("off", "families")), top.problems


def overlaid(
    tables: Mapping[str, Mapping[str, Any]], overlay: Overlay
) -> tuple[dict[str, Mapping[str, Any]], list[Problem]]:
    """Lay the changes over the tables of the signature files.

    Args:
        tables: The parsed files by name, such as ``signatures/lambda.toml``.
        overlay: The changes.

    Returns:
        The tables, and which targets of the changes do not exist.
    """
    changed: dict[str, Mapping[str, Any]] = {}
    ids: set[str] = set()
    families = {family(file, tables) for file in tables} - {""}
    for file, entries in tables.items():
        ids |= entries.keys()
        family_off = family(file, tables) in overlay.off
        changed[file] = {
            name: _changed(table, overlay.overrides.get(name, {}), family_off=family_off)
            for name, table in entries.items()
        }
    problems = [
        Problem(FILE, f"override.{name}", f"there is no signature {name!r}{did_you_mean(name, ids)}")
        for name in overlay.overrides
        if name not in ids and name != UNKNOWN_ERROR  # which is built in
    ]
    problems += [
        Problem(
            FILE,
            "pack.off",
            f"there is no family {name!r}{did_you_mean(name, families)}; there are {', '.join(sorted(families))}",
        )
        for name in overlay.off
        if name not in families
    ]
    return changed, problems


def family(file: str, files: Iterable[str]) -> str:
    """The family of the pack that a file holds; empty for a file of one's own.

    Args:
        file: The file's name.
        files: All names: where some lie in the pack's folder, the others are one's own.
    """
    folder, _, name = file.rpartition("/")
    if name.startswith(OWN_PREFIX) or (
        folder != PACK_FOLDER and any(f.startswith(f"{PACK_FOLDER}/") for f in files)
    ):
        return ""
    return name.removesuffix(".toml")


def relocated(problem: Problem, overlay: Overlay, tables: Mapping[str, Mapping[str, Any]]) -> Problem:
    """A problem that an override made, said of the override; any other as it is.

    Args:
        problem: As the reader or the proof found it in the overlaid signature.
        overlay: The changes.
        tables: The parsed files before the changes.
    """
    name, _, rest = problem.key.partition(".")
    key, bracket, number = rest.partition("[")
    head = key.partition(".")[0]
    table = overlay.overrides.get(name, {})
    if head not in table:
        if head == "status" and table.get("off"):
            return Problem(FILE, f"override.{name}.off", problem.reason)
        return problem
    if head in ADDED and bracket:
        index, _, after = number.partition("]")
        brought = tables.get(problem.file, {}).get(name, {}).get(head, [])
        added = int(index) - len(brought) if index.isdecimal() else 0
        if added < 0:
            return problem
        return Problem(FILE, f"override.{name}.{key}[{added}]{after}", problem.reason)
    return Problem(FILE, f"override.{name}.{rest}", problem.reason)


def _changed(table: Any, override: Mapping[str, Any], *, family_off: bool) -> Any:
    if not isinstance(table, dict) or not (override or family_off):
        return table
    changed = {**table, **({"status": "off"} if family_off else {})}
    for key, value in override.items():
        if key in REPLACED:
            changed[key] = value
        elif key in LAID_OVER and isinstance(value, dict):
            before = table.get(key, {})
            changed[key] = {**before, **value} if isinstance(before, dict) else value
        elif key in ADDED and isinstance(value, list):
            brought = table.get(key, [])
            changed[key] = [*(brought if isinstance(brought, list) else []), *value]
        elif key == "off" and isinstance(value, bool):
            changed["status"] = "off" if value else "stable"
    return changed
