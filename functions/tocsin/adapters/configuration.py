"""The configuration on disk: ``signatures/*.toml`` and ``tocsin.toml`` beside the handlers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tocsin.core.literals import NoLiteralError, required_literals
from tocsin.core.problems import ConfigurationError, Problem
from tocsin.core.settings import FILE, Settings, parse_settings
from tocsin.core.signatures import Signature, parse_signatures


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
    signatures, found = parse_signatures(read_signature_files(root, problems))
    problems += found
    for signature in signatures.values():
        problems += literal_problems(signature)
    settings = Settings()
    try:
        settings = parse_settings((root / FILE).read_text("utf-8"), environ)
    except ConfigurationError as error:
        problems += error.problems
    except (OSError, UnicodeDecodeError) as error:
        problems.append(Problem(FILE, "", f"cannot be read: {error}"))
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
    for number, expression in enumerate(signature.any):
        try:
            required_literals(expression)
        except NoLiteralError as error:
            problems.append(Problem(signature.file, f"{signature.id}.any[{number}]", str(error)))
    return problems
