"""The configuration on disk: ``signatures/*.toml`` and ``tocsin.toml`` beside the handlers.

Compiling every expression and deriving its literals takes longer than all the rest of a cold start. ``tocsin check``
therefore leaves a seal, ``signatures/sealed.json``: what it derived, under the digest of exactly the files (and of the
code that read them) that it found right. With the seal, a cold start reads what is already known to be right; without,
or after any change, everything is tried again and refused in the same words. Beside it lies the search that most cold
starts need alone (``sealed_search``).
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tocsin.adapters.files.sealed_search import seal_search
from tocsin.adapters.files.settings_file import load_settings
from tocsin.core.absence.signs import LifeSigns
from tocsin.core.config.settings import FILE, Settings
from tocsin.core.matching.matcher import Matcher
from tocsin.core.matching.unknown_error import ErrorFinder
from tocsin.core.problems import ConfigurationError, Problem
from tocsin.core.signatures import absence_rule as absence_module
from tocsin.core.signatures import literals as literals_module
from tocsin.core.signatures import reader as signatures_module
from tocsin.core.signatures.heartbeat import with_heartbeat
from tocsin.core.signatures.literals import Literal, NoLiteralError, required_literals
from tocsin.core.signatures.reader import parse_signatures, read_signatures
from tocsin.core.signatures.signature import UNKNOWN_ERROR, Signature


class Configuration(NamedTuple):
    """Everything that is data.

    Attributes:
        signatures: By id, in file order.
        settings: Services, intervals, links.
    """

    signatures: Mapping[str, Signature]
    settings: Settings


def load_configuration(root: Path, environ: Mapping[str, str]) -> Configuration:
    """Read and check all configuration below a folder.

    Args:
        root: The deployment root, the folder with ``tocsin.toml`` and ``signatures``.
        environ: Environment variables that are laid over ``tocsin.toml``.

    Raises:
        ConfigurationError: With every problem, in the words of ``tocsin check``.
    """
    problems: list[Problem] = []
    texts = read_signature_files(root, problems)
    signatures, found = _unseal(root, texts) or parse_signatures(texts)
    problems += found
    for signature in signatures.values():
        problems += literal_problems(signature)
    settings = Settings()
    try:
        settings = load_settings(root, environ)
    except ConfigurationError as error:
        problems += error.problems
    if settings.routing.routes:
        from tocsin.core.config.routing_reader import routing_problems  # noqa: PLC0415 - only where there are routes

        owners = {signature.owner for signature in signatures.values()}
        problems += routing_problems(settings.routing, FILE, {*signatures, UNKNOWN_ERROR}, owners)
    if problems:
        raise ConfigurationError(tuple(problems))
    return Configuration(signatures, settings)


def read_signature_files(root: Path, problems: list[Problem]) -> dict[str, str]:
    """The text of each signature file by its name relative to the root; adds what cannot be read to ``problems``."""
    texts: dict[str, str] = {}
    paths = sorted((root / "signatures").glob("*.toml"))
    if not paths:
        problems.append(Problem("signatures", "", "there is no *.toml file with signatures"))
    for path in paths:
        try:
            texts[f"signatures/{path.name}"] = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            problems.append(Problem(f"signatures/{path.name}", "", f"cannot be read: {error}"))
    return texts


def literal_problems(signature: Signature) -> list[Problem]:
    """Expressions of a signature that the fast search over raw bytes cannot stand for."""
    problems = []
    for key, expressions in (("any", signature.any), ("absence.work", signature.absence.work)):
        for number, expression in enumerate(expressions):
            if expression in signature.literals:
                continue
            try:
                required_literals(expression)
            except NoLiteralError as error:
                problems.append(Problem(signature.file, f"{signature.id}.{key}[{number}]", str(error)))
    return problems


# --- the seal ---

SEAL = "signatures/sealed.json"


def seal(root: Path) -> bool:
    """Leave the seal for configuration that was just found right.

    Returns:
        Whether it had to be written; False where it was current.

    Raises:
        OSError: It cannot be written.
    """
    try:
        configuration = load_configuration(root, {})
    except ConfigurationError:
        return False  # right only with what this environment lays over it; the next one may not
    found_right = configuration.signatures
    searches = (
        Matcher(with_heartbeat(found_right)).raw_expression,
        LifeSigns(found_right, str).raw_expression,
        ErrorFinder(found_right, configuration.settings.errors).raw_expression,
    )
    written = seal_search(root, "|".join(filter(None, searches)))
    texts = read_signature_files(root, [])
    digest = _digest(texts)
    if _sealed(root).get("digest") == digest:
        return written
    tables = {file: tomllib.loads(text) for file, text in texts.items()}
    signatures, _ = read_signatures(tables)
    content = {
        "digest": digest,
        "tables": tables,
        "tried": {
            expression: [[*literal.words, literal.any_case] for literal in required_literals(expression)]
            for signature in signatures.values()
            for expression in (*signature.any, *signature.absence.work)
        },
        "forbidding": [expression for signature in signatures.values() for expression in signature.none],
    }
    (root / SEAL).write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n", "utf-8")
    return True


def _unseal(root: Path, texts: Mapping[str, str]) -> tuple[dict[str, Signature], list[Problem]] | None:
    """What the seal says about exactly these texts, or None where it says nothing."""
    content = _sealed(root)
    if not texts or content.get("digest") != _digest(texts):
        return None
    tried = {
        expression: tuple(Literal(tuple(words), any_case) for *words, any_case in found)
        for expression, found in content["tried"].items()
    }
    return read_signatures(content["tables"], tried=tried | dict.fromkeys(content["forbidding"], ()))


def _sealed(root: Path) -> dict[str, Any]:
    try:
        content = json.loads((root / SEAL).read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _digest(texts: Mapping[str, str]) -> str:
    digest = hashlib.sha256()
    for module in (signatures_module, absence_module, literals_module):
        digest.update(Path(str(module.__file__)).read_bytes())
    for file, text in texts.items():
        digest.update(f"{file}\0{len(text)}\0{text}".encode())
    return digest.hexdigest()
