"""Everything `tocsin check` checks, as a function that returns problems."""

from __future__ import annotations

import os
from pathlib import Path

from tocsin.core.problems import ConfigurationError, Problem
from tocsin_cli.authoring.advice import unfinished
from tocsin_cli.authoring.samples import prove
from tocsin_cli.configuration_folder import as_overridden, read_configuration, runbook_pages
from tocsin_cli.deployment_file import deployment_problems


def check(root: Path, runbooks: Path | None = None) -> tuple[Problem, ...]:
    """Everything that is wrong with the configuration below a folder.

    Args:
        root: The folder with ``tocsin.toml``.
        runbooks: The folder with one's own runbooks, where it is another than usual.
    """
    try:
        configuration = read_configuration(root, os.environ)
    except ConfigurationError as error:
        return error.problems
    if wrong := deployment_problems(root):
        return tuple(wrong)
    found = [*prove(configuration.signatures, runbook_pages(root, runbooks)), *unfinished(configuration)]
    return tuple(as_overridden(found, root))
