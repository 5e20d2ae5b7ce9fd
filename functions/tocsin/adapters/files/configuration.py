"""The configuration on disk: ``signatures/*.toml`` and ``tocsin.toml`` beside the handlers.

Compiling every expression and deriving its literals takes longer than all the rest of a cold start. A build therefore
makes a compiled form (``compiled_search`` says of what). A function reads nothing else, and does not start without one
that fits (`packaged_configuration`); everybody else takes the form where it fits, and tries everything in a folder that
was changed since (`load_configuration`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from msgspec.structs import replace

from tocsin.adapters.files.compiled_search import (
    COMPILED,
    COMPILED_SEARCH,
    CompiledSearch,
    configuration_digest,
    form_digests,
    stale_files,
    stale_form,
)
from tocsin.adapters.files.settings_file import load_settings
from tocsin.core.absence.expected_lines import ExpectedLines
from tocsin.core.config.settings import FILE, Settings, read_settings
from tocsin.core.matching.matcher import Matcher
from tocsin.core.matching.unknown_error import ErrorFinder, overridden
from tocsin.core.problems import ConfigurationError, Problem
from tocsin.core.signatures.drill import SIGNATURE as DRILL_SIGNATURE
from tocsin.core.signatures.heartbeat import SIGNATURE as HEARTBEAT_SIGNATURE
from tocsin.core.signatures.literals import NoLiteralError, needed_by
from tocsin.core.signatures.signature import UNKNOWN_ERROR, Signature, with_built_in

if TYPE_CHECKING:
    from tocsin.core.signatures.overlay import Overlay


class Configuration(NamedTuple):
    """Everything that is data.

    Attributes:
        signatures: By id, in file order.
        settings: Services, intervals, links.
    """

    signatures: Mapping[str, Signature]
    settings: Settings


def load_configuration(root: Path, environ: Mapping[str, str], *, pack: Path | None = None) -> Configuration:
    """Read and check all configuration below a folder.

    Args:
        root: The deployment root, the folder with ``tocsin.toml`` and ``signatures``.
        environ: Environment variables that are laid over ``tocsin.toml``.
        pack: The deployment root whose signatures are below those of ``root``; None where ``root`` has all of them.

    Raises:
        ConfigurationError: With every problem, in the words of ``tocsin check``.
    """
    if pack is None and not stale_files(root):
        return packaged_configuration(root, environ)
    return _tried_configuration(root, environ, pack)


def _tried_configuration(root: Path, environ: Mapping[str, str], pack: Path | None = None) -> Configuration:
    """The configuration as its files say it, every expression tried."""
    texts, unreadable = read_signature_files(root, pack=pack)
    overlay, wrong = read_overlay_file(root)
    signatures, problems = _read(texts, overlay)
    return _with_settings(
        signatures, overlay, partial(load_settings, root, environ), unreadable + wrong + problems
    )


def packaged_configuration(root: Path, environ: Mapping[str, str]) -> Configuration:
    """The configuration of a package, as its build found it right.

    Args:
        root: The deployment root.
        environ: Environment variables that are laid over ``tocsin.toml``.

    Raises:
        ConfigurationError: There is no compiled form of exactly this configuration; or ``environ`` makes it wrong.
    """
    try:
        form = msgspec.json.decode((root / COMPILED).read_bytes(), type=_CompiledForm)
    except (OSError, msgspec.DecodeError) as error:
        raise stale_form(COMPILED) from error
    if form.configuration != configuration_digest(root):
        raise stale_form(COMPILED)
    overlay, problems = None, list[Problem]()
    if "override" in form.settings or "pack" in form.settings:
        from tocsin.core.signatures.overlay import read_overlay

        overlay, problems = read_overlay(form.settings)
    settings = partial(read_settings, form.settings, environ)
    return _with_settings(form.signatures, overlay or None, settings, problems)


def _with_settings(
    signatures: dict[str, Signature],
    overlay: Overlay | None,
    read: Callable[[], Settings],
    found: Sequence[Problem],
) -> Configuration:
    problems = list(found)
    if overlay is not None and UNKNOWN_ERROR in overlay.overrides:
        own, wrong = overridden(overlay.overrides[UNKNOWN_ERROR], FILE)
        problems += wrong
        signatures = {**signatures, UNKNOWN_ERROR: own}
    for signature in signatures.values():
        problems += literal_problems(signature)
    settings = Settings()
    try:
        settings = read()
    except ConfigurationError as error:
        problems += error.problems
    if settings.routing.routes:
        from tocsin.core.config.routing_reader import routing_problems
        from tocsin.core.signatures.captured_names import captured_names

        owners = {signature.owner for signature in signatures.values()}
        known, captured = {*signatures, UNKNOWN_ERROR}, captured_names(signatures.values())
        problems += routing_problems(settings.routing, FILE, known, owners, captured)
    if problems:
        raise ConfigurationError(tuple(problems))
    return Configuration(signatures, settings)


def _read(texts: Mapping[str, str], overlay: Overlay | None) -> tuple[dict[str, Signature], list[Problem]]:
    """Read signatures from the texts, with what is laid over them."""
    from tocsin.core.signatures.reader import parse_tables, read_signatures

    tables, problems = parse_tables(texts)
    if overlay is None:
        signatures, found = read_signatures(tables)
        return signatures, problems + found
    from tocsin.core.signatures.overlay import overlaid, relocated

    changed, missing = overlaid(tables, overlay)
    signatures, found = read_signatures(changed)
    return signatures, problems + missing + [relocated(problem, overlay, tables) for problem in found]


def read_signature_files(root: Path, *, pack: Path | None = None) -> tuple[dict[str, str], list[Problem]]:
    """The text of each signature file by its name, and what cannot be read.

    Args:
        root: The deployment root; its files are named as seen from it, ``signatures/own.toml``.
        pack: The deployment root with the pack, if it is another one; its files are named ``pack/lambda.toml``.
    """
    texts: dict[str, str] = {}
    problems: list[Problem] = []
    files = {f"signatures/{path.name}": path for path in sorted((root / "signatures").glob("*.toml"))}
    if pack is not None:
        from tocsin.core.signatures.overlay import PACK_FOLDER

        brought = sorted((pack / "signatures").glob("*.toml"))
        files = {f"{PACK_FOLDER}/{path.name}": path for path in brought} | files
    if not files:
        problems.append(Problem("signatures", "", "there is no *.toml file with signatures"))
    for name, path in files.items():
        try:
            texts[name] = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            problems.append(Problem(name, "", f"cannot be read: {error}"))
    return texts, problems


def read_overlay_file(root: Path) -> tuple[Overlay | None, list[Problem]]:
    """What ``tocsin.toml`` changes in the signatures, and what is wrong with that.

    None where it changes nothing, or is no TOML, which is said elsewhere.
    """
    try:
        text = (root / FILE).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return None, []
    if "override" not in text and "pack" not in text:
        return None, []  # what ships
    import tomllib

    from tocsin.core.signatures.overlay import read_overlay

    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None, []
    overlay, problems = read_overlay(data)
    return overlay or None, problems


def literal_problems(signature: Signature) -> list[Problem]:
    """Expressions of a signature that the fast search over raw bytes cannot stand for."""
    problems = []
    for key, expressions in (("any", signature.any), ("absence.work", signature.absence.work)):
        for number, expression in enumerate(expressions):
            if expression in signature.needed:
                continue
            try:
                needed_by(expression)
            except NoLiteralError as error:
                problems.append(Problem(signature.file, f"{signature.id}.{key}[{number}]", str(error)))
    return problems


# --- the compiled form ---


class _CompiledForm(msgspec.Struct):
    """``signatures/compiled.json``: what was found right, read without a second trial.

    Attributes:
        configuration: What it was made for (`form_digests`).
        code: What made it, likewise.
        signatures: The signatures by id, with their literals.
        settings: The table of ``tocsin.toml``.
    """

    configuration: str
    code: str
    signatures: dict[str, Signature]
    settings: dict[str, Any]


def compiled_form(root: Path) -> dict[str, bytes]:
    """The files of the compiled form of a configuration: those that are there where they fit, else made now.

    Args:
        root: The deployment root; nothing is written into it.

    Returns:
        Their content by their names as seen from ``root``.

    Raises:
        ConfigurationError: The configuration is wrong, or right only with what some environment lays over it.
    """
    if not stale_files(root):
        return {name: (root / name).read_bytes() for name in (COMPILED, COMPILED_SEARCH)}
    return _made_form(root)


def _made_form(root: Path) -> dict[str, bytes]:
    found_right, settings = _tried_configuration(root, {})
    matchers = (
        Matcher(with_built_in(found_right, DRILL_SIGNATURE, HEARTBEAT_SIGNATURE)),
        ExpectedLines(found_right, str),
    )
    errors = ErrorFinder(found_right, settings.errors).raw_expression
    literals = sorted({literal for each in matchers for literal in each.raw_terms[0]})
    others = dict.fromkeys([other for each in matchers for other in each.raw_terms[1]] + [errors])
    signatures = {
        name: replace(
            signature,
            needed={
                expression: needed_by(expression) for expression in (*signature.any, *signature.absence.work)
            },
        )
        for name, signature in found_right.items()
        if name != UNKNOWN_ERROR  # no signature: what tocsin.toml says of it is read with tocsin.toml
    }
    import tomllib

    table = tomllib.loads((root / FILE).read_text("utf-8"))
    fits = form_digests(root)
    search = CompiledSearch(
        expression="|".join(filter(None, [*(each.raw_expression for each in matchers), errors])),
        exact=[literal.text for literal in literals if not literal.any_case],
        any_case=[literal.text for literal in literals if literal.any_case],
        others=[other for other in others if other],
    )
    return {
        COMPILED: msgspec.json.encode(_CompiledForm(**fits, signatures=signatures, settings=table)) + b"\n",
        COMPILED_SEARCH: (json.dumps({**fits, **search._asdict()}, indent=0) + "\n").encode(),
    }


def make_compiled_form(root: Path) -> bool:
    """Leave the compiled form beside the configuration.

    Returns:
        Whether it had to be written; False where it fitted.

    Raises:
        ConfigurationError: As `compiled_form`.
        OSError: It cannot be written.
    """
    if not stale_files(root):
        return False
    for name, content in _made_form(root).items():
        (root / name).write_bytes(content)
    return True
