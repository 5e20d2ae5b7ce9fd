"""Signatures to measure with: those that ship, and ten or thirty times as many made of them with other words."""

from __future__ import annotations

import re

from msgspec.structs import replace

from benchmarks.stopwatch import ROOT
from tocsin.adapters.files.configuration import load_configuration
from tocsin.core.signatures.signature import Signature, Source


def shipped() -> dict[str, Signature]:
    """The signatures for log lines that ship."""
    found = load_configuration(ROOT / "functions", {}).signatures
    return {name: entry for name, entry in found.items() if entry.source is Source.LOG}


def made(count: int) -> dict[str, Signature]:
    """The shipped signatures and, up to a number, others like them: each asks for a word of its own as well."""
    many = shipped()
    models = list(many.values())
    while len(many) < count:
        number = len(many)
        model = models[number % len(models)]
        word = f"Component{number:04d}Subsystem"
        name = f"{model.id}-{number}"
        many[name] = replace(
            model,
            id=name,
            any=tuple(
                re.sub(r"(?s)^(\(\?[a-z]+\))?(.*)$", rf"\1(?:\2)[^\\n]* {word}", text) for text in model.any
            ),
            needed={},
        )
    return many
