"""Validate all configuration, run every signature's samples and check that each runbook exists.

Prints ``file:line: key: reason``, one problem per line, the file as seen from here, and exits with 1 where there is one.
Warnings, and what overrides what, go to standard error and change no exit status. In a clone, where all is right, it leaves
the compiled form (``signatures/compiled.json``, ``signatures/search.json``), which every build would else make itself.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from tocsin.adapters.files.compiled_search import COMPILED
from tocsin.adapters.files.configuration import make_compiled_form
from tocsin.core.problems import ConfigurationError
from tocsin_cli.authoring.advice import overridden, warnings
from tocsin_cli.authoring.check import check
from tocsin_cli.authoring.json_schema import signature_schema
from tocsin_cli.authoring.locations import located
from tocsin_cli.configuration_folder import (
    is_compiled_in_place,
    is_deployment_root,
    read_configuration,
    stands_alone,
)
from tocsin_cli.options import add_root
from tocsin_cli.shown_paths import shown


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_root(parser)
    parser.add_argument(
        "--runbooks",
        type=Path,
        help="the folder with the runbooks (default: runbooks beside the deployment root)",
    )
    parser.add_argument(
        "--schema",
        action="store_true",
        help="print the JSON Schema of a signature file, for editors, and check nothing",
    )


def run(arguments: argparse.Namespace) -> int:
    """Check, or print the schema."""
    if arguments.schema:
        print(json.dumps(signature_schema(), indent=2, ensure_ascii=False))
        return 0
    problems = check(arguments.root, arguments.runbooks)
    for problem in problems:
        print(located(problem, arguments.root))
    if problems:
        print(f"{len(problems)} problem{'s' if len(problems) > 1 else ''}", file=sys.stderr)
        return 1
    configuration = read_configuration(arguments.root, os.environ)
    signatures, routing = configuration.signatures, configuration.settings.routing
    for warning in warnings(arguments.root, configuration):
        print(located(warning._replace(reason=f"warning: {warning.reason}"), arguments.root), file=sys.stderr)
    if stands_alone(arguments.root) and not is_deployment_root(arguments.root):
        print(
            "this folder stands alone: the pack's signatures are not in it; to have them, write [pack] into tocsin.toml",
            file=sys.stderr,
        )
    for sentence in overridden(arguments.root):
        print(f"overridden: {sentence}", file=sys.stderr)
    if is_compiled_in_place(arguments.root) and not _compiled(arguments.root):
        return 1
    samples = sum(len(signature.matches) + len(signature.ignores) for signature in signatures.values())
    destinations = f", {len(routing.destinations)} destinations" if routing.routes else ""
    print(f"{len(signatures)} signatures, {samples} samples{destinations}: all right", file=sys.stderr)
    return 0


def _compiled(root: Path) -> bool:
    """Leave the compiled form; False where a build would refuse the configuration."""
    try:
        if make_compiled_form(root):
            print(
                f"compiled into {shown((root / COMPILED).parent)}: commit it with the signatures",
                file=sys.stderr,
            )
    except ConfigurationError as error:
        for problem in error.problems:
            print(located(problem, root))
        print(
            "right only with what this environment lays over it (TOCSIN_...): no build takes it",
            file=sys.stderr,
        )
        return False
    except OSError as error:
        print(f"not compiled, each build will do it: {error}", file=sys.stderr)
    return True
