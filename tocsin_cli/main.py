"""The ``tocsin`` command: one module per sub-command, imported when it is called."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from tocsin.core.problems import ConfigurationError, did_you_mean
from tocsin.core.sanitize import one_line
from tocsin_cli.aws_errors import is_aws_error
from tocsin_cli.command_error import CommandError
from tocsin_cli.product import version

COMMANDS = {
    "init": "begin a configuration folder of your own: settings, a signature, its runbook, a workflow",
    "build": "build the Lambda package for either processor, and verify it",
    "check": "validate all configuration, run every signature's samples, check that each runbook exists",
    "match": "say which signatures recognise log lines",
    "redact": "show what people would see of log lines: secrets and personal data hidden",
    "fingerprint": "say by which template the error of a line is known, whatever varies in it",
    "explain": "say why a log line is recognised, or is not",
    "local": "the embedded cloud, the deployed stack and a local Slack, until stopped",
    "demo": "replay real incidents through the deployed template and show what Slack shows",
    "backtest": "the incidents and notifications that log lines would have made",
    "route": "say where an alert would be sent, and whom it would call",
    "preview": "a notification as Slack will show it",
    "event": "write event files for sam local invoke",
    "errors": "the errors that no signature explains: what is news, what is known",
    "incidents": "the open incidents of a deployed stack, and all that is known of one",
    "silence": "mute what is known, until a time that must be given; list and end silences",
    "deploy": "deploy what was built, examine it, and keep the way back",
    "plan": "what a deploy would change: resources, signatures, and what they would have sent",
    "signatures": "the signatures there are: severity, source, status, recall",
    "runbooks": "the runbooks, your own and the pack's, as a small static site with a search",
    "cost": "what it would cost in a month",
    "doctor": "look at a deployed stack end to end, and say what is wrong and how to fix it",
    "drill": "a fire drill: one harmless line through the whole deployed path to Slack, step by step with times",
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
    overview.add_argument("--version", action="version", version=f"tocsin {version()}")
    listing = overview.add_subparsers(metavar="COMMAND", required=True)
    for name, meaning in COMMANDS.items():
        listing.add_parser(name, help=meaning, add_help=False)
    if not given or given[0] not in COMMANDS:
        if given and not given[0].startswith("-") and (hint := did_you_mean(given[0], COMMANDS)):
            print(f"tocsin: there is no command {given[0]!r}{hint}; tocsin --help lists all", file=sys.stderr)
            sys.exit(2)
        overview.parse_args(given)
        return 2
    module = importlib.import_module(f"tocsin_cli.commands.{given[0].replace('-', '_')}")
    parser = argparse.ArgumentParser(prog=f"tocsin {given[0]}", description=module.__doc__)
    module.configure(parser)
    options = argparse.Namespace()
    try:
        return int(module.run(parser.parse_args(given[1:], options)))
    except ConfigurationError as error:
        _say(error, getattr(options, "root", None))
        return 1
    except BrokenPipeError:
        # Whoever read our output has seen enough (`| head`).
        sys.stderr.close()
        return 141
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if not isinstance(error, CommandError) and not is_aws_error(error):
            raise
        words = "\n".join(map(one_line, str(error).split("\n")))
        print(f"tocsin {given[0]}: {words}", file=sys.stderr)
        return error.status if isinstance(error, CommandError) else 1


def _say(error: ConfigurationError, root: Path | None) -> None:
    """The problems of a configuration, one per line, with the line of the file that each is in."""
    from tocsin_cli.authoring.locations import located

    for problem in error.problems:
        print(located(problem, root) if root else problem, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
