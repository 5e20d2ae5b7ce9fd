"""What is right and yet most likely not meant: warnings of `tocsin check`, and what overrides what."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from tocsin.adapters.files.configuration import Configuration, read_overlay_file, read_signature_files
from tocsin.core.config.routing import Route
from tocsin.core.config.settings import FILE, Settings
from tocsin.core.matching.levels import MAX_PREFIX_LENGTH, stated_level
from tocsin.core.model import Level, Severity
from tocsin.core.problems import Problem, did_you_mean
from tocsin.core.signatures.overlay import PACK_FOLDER, family
from tocsin.core.signatures.reader import parse_tables
from tocsin.core.signatures.signature import Signature, Source, Status
from tocsin_cli.configuration_folder import pack_of, stands_alone

PLACEHOLDER = "To be written"


def unfinished(configuration: Configuration) -> list[Problem]:
    """Signatures that are posted though they still hold what `tocsin new` left to be written."""
    return [
        Problem(
            rule.file,
            f"{rule.id}.{key}",
            f'still says "{PLACEHOLDER}"; write it, or leave status = "test" until you have',
        )
        for rule in configuration.signatures.values()
        if rule.status is Status.STABLE
        for key in ("summary", "first_action")
        if PLACEHOLDER in getattr(rule, key)
    ]


def warnings(root: Path, configuration: Configuration) -> list[Problem]:
    """What is most likely not meant.

    Args:
        root: The configuration folder.
        configuration: What it holds; it is right.
    """
    own = [
        rule
        for rule in configuration.signatures.values()
        if not stands_alone(root) and not rule.file.startswith(f"{PACK_FOLDER}/")
    ]
    return [
        *_dead_links(own, configuration.settings),
        *_guessed_severities(own),
        *_services_without_logs(own, configuration.settings),
    ]


def overridden(root: Path) -> list[str]:
    """What overrides what, one sentence each: ``lambda-timeout: severity medium, the pack says high``."""
    overlay, _ = read_overlay_file(root)
    if overlay is None:
        return []
    texts, _ = read_signature_files(root, pack=pack_of(root))
    tables, _ = parse_tables(texts)
    before = {name: table for entries in tables.values() for name, table in entries.items()}
    sentences = []
    for name, table in overlay.overrides.items():
        brought = before.get(name, {})
        words = []
        for key, value in table.items():
            if key in {"matches", "ignores"}:
                words.append(f"{len(value)} more {key}")
            elif key == "off":
                words.append("off" if value else "on")
            else:
                words.append(f"{key} {_word(value)}, the pack says {_word(brought.get(key, 'nothing'))}")
        sentences.append(f"{name}: {'; '.join(words)}")
    for name in overlay.off:
        count = sum(len(entries) for file, entries in tables.items() if family(file, tables) == name)
        sentences.append(f"family {name}: off, {count} signatures")
    return sentences


def unknown_service(service: str, settings: Settings) -> str:
    """Why a service's name most likely matches nothing; empty where it is configured, or nothing is."""
    names = [each.name for each in settings.services]
    if not names or any(fnmatchcase(name, service) for name in names):
        return ""
    return (
        f"{service!r} is no service of tocsin.toml{did_you_mean(service, names)}; "
        "it fits only a log group or resource of this name that none claims"
    )


def _word(value: object) -> str:
    if isinstance(value, dict):
        return " ".join(f"{key} {_word(each)}" for key, each in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _dead_links(own: list[Signature], settings: Settings) -> Iterator[Problem]:
    posted = [rule.id for rule in own if rule.status is Status.STABLE]
    if posted and settings.runbooks_url == Settings().runbooks_url:
        yield Problem(
            FILE,
            "links.runbooks",
            f"is the pack's address, where the runbooks of your own signatures ({', '.join(posted[:3])}"
            f"{', …' if len(posted) > 3 else ''}) are not: their links lead nowhere. "
            "`tocsin runbooks --html DIR` makes pages of yours and the pack's; give their address",
        )


def _guessed_severities(own: list[Signature]) -> Iterator[Problem]:
    for rule in own:
        if rule.source is not Source.LOG or rule.severity is Severity.CRITICAL:
            continue
        for number, sample in enumerate(rule.matches):
            if stated_level(sample[:MAX_PREFIX_LENGTH]) is Level.CRITICAL:
                yield Problem(
                    rule.file,
                    f"{rule.id}.severity",
                    f"is {rule.severity}, and the line of matches[{number}] says CRITICAL itself",
                )
                break


def _services_without_logs(own: list[Signature], settings: Settings) -> Iterator[Problem]:
    for route in _all(settings.routing.routes):
        for service in route.match.get("service", ()):
            if reason := unknown_service(service, settings):
                yield Problem(FILE, f"{route.key}.match.service", reason)
    for rule in own:
        for service in rule.services:
            if not re.search(r"[*?\[]", service) and (reason := unknown_service(service, settings)):
                yield Problem(rule.file, f"{rule.id}.scope.services", reason)


def _all(routes: tuple[Route, ...]) -> Iterator[Route]:
    for route in routes:
        yield route
        yield from _all(route.routes)
