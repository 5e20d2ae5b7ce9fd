"""Everything `tocsin check` checks, as a function that returns problems."""

from __future__ import annotations

import os
from pathlib import Path

from tocsin.adapters.files.configuration import load_configuration
from tocsin.core.problems import ConfigurationError, Problem
from tocsin_cli.authoring.samples import prove


def check(root: Path, runbooks: Path) -> tuple[Problem, ...]:
    """Everything that is wrong with the configuration below a folder."""
    try:
        configuration = load_configuration(root, os.environ)
    except ConfigurationError as error:
        return error.problems
    return tuple(prove(configuration.signatures, {path.name for path in runbooks.glob("*.md")}))
