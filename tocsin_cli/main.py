"""The ``tocsin`` command: one module per sub-command, imported when it is called."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

COMMANDS = {
    "build": "build the Lambda package for either processor, and verify it",
    "check": "validate all configuration, run every signature's samples, check that each runbook exists",
    "match": "say which signatures recognise log lines",
    "fingerprint": "say by which template an error is known that no signature explains",
    "explain": "say why a log line is recognised, or is not",
    "local": "the embedded cloud, the deployed stack and a local Slack, until stopped",
    "demo": "replay real incidents through the deployed template and show what Slack shows",
    "backtest": "the incidents and notifications that log lines would have made",
    "route": "say where an alert would be told, and whom it would call",
    "preview": "a notification as Slack will show it",
    "event": "write event files for sam local invoke",
    "errors": "the errors that no signature explains: what is news, what is known",
    "incidents": "the open incidents of a deployed stack, and all that is known of one",
    "silence": "mute what is known, until a time that must be given; list and end silences",
    "deploy": "deploy what was built, examine it, and keep the way back",
    "doctor": "look at a deployed stack end to end, and say what is wrong and how to mend it",
    "new": "scaffold a signature, its samples and its runbook from a log line",
    "subscription-slots": "whether log groups have room for a subscription, before a deploy finds out",
    "filter-pattern": "the subscription filter pattern that lets every matching line through",
}
"""What each sub-command does; ``NAME`` is the module ``tocsin_cli/commands/NAME.py`` (``_`` for ``-``) with ``configure`` and ``run``."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one sub-command.

    Args:
        arguments: What follows ``tocsin`` on the command line; from the process by default.

    Returns:
        The exit status.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    overview = argparse.ArgumentParser(prog="tocsin", description="Log-pattern alerting for AWS.")
    listing = overview.add_subparsers(metavar="COMMAND", required=True)
    for name, meaning in COMMANDS.items():
        listing.add_parser(name, help=meaning, add_help=False)
    if not given or given[0] not in COMMANDS:
        overview.parse_args(given)
        return 2
    module = importlib.import_module(f"tocsin_cli.commands.{given[0].replace('-', '_')}")
    parser = argparse.ArgumentParser(prog=f"tocsin {given[0]}", description=module.__doc__)
    module.configure(parser)
    try:
        return int(module.run(parser.parse_args(given[1:])))
    except BrokenPipeError:
        # Whoever read our output has seen enough (`| head`).
        sys.stderr.close()
        return 141
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
