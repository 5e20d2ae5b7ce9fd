"""The subscription filter pattern that lets every line through that a signature may recognise.

So that a busy account pays for incidents and not for log volume: give it to the stack as the parameter FilterPattern.
Where no safe pattern exists, the reason is said on standard error and the answer is the empty pattern, which lets
everything through. docs/filter-pattern.md says what is taken to be safe, and why.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from tocsin.adapters.files.configuration import Configuration
from tocsin.core.matching.unknown_error import ErrorFinder
from tocsin.core.signatures.signature import Signature, Source, Status
from tocsin_cli.authoring.filter_pattern import MAX_PATTERN_LENGTH, FilterPattern, Style, filter_pattern
from tocsin_cli.aws_errors import aws_refusals
from tocsin_cli.configuration_folder import read_configuration
from tocsin_cli.options import add_root
from tocsin_cli.stack.target import region_or_environment

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

MAX_TESTED = 50
"""Messages in one call of TestMetricFilter."""
MAX_TESTED_SIZE = 200_000
"""Characters in one call."""

HIDES_ERRORS = "with this pattern, errors that no signature explains do not reach Tocsin, and nobody is notified of them; tocsin doctor says so too"
NO_PATTERN_FOR_ERRORS = (
    "errors that no signature explains are looked for, and no pattern of 1,024 characters stands for every way to state a "
    "level. --signatures-only makes one that keeps them back; errors.tell in tocsin.toml says where they are looked for"
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_root(parser)
    parser.add_argument(
        "--style",
        choices=list(Style),
        type=Style,
        default=Style.REGEX,
        help="what it is made of (default: %(default)s)",
    )
    parser.add_argument(
        "--terms-match-within-words",
        action="store_true",
        help="with --style terms: you know that terms match within words, which AWS does not document (--verify finds out)",
    )
    parser.add_argument(
        "--verify",
        action="store_true",
        help="try it on every sample with CloudWatch's own engine (TestMetricFilter; costs nothing)",
    )
    parser.add_argument(
        "--signatures-only",
        action="store_true",
        help="you know that errors that no signature explains are kept back by it",
    )
    parser.add_argument("--region", help="for --verify: the Region")
    parser.add_argument("--json", action="store_true", help="print JSON: pattern, length, pieces, reason")


def run(arguments: argparse.Namespace) -> int:
    """Print the pattern; 1 where CloudWatch's engine would have kept a sample from us."""
    config = read_configuration(arguments.root)
    signatures = config.signatures
    within = arguments.terms_match_within_words
    missed: list[str] = []
    if not arguments.signatures_only and _finds_errors(config):
        made = FilterPattern("", reason=NO_PATTERN_FOR_ERRORS)
    elif arguments.verify:
        import boto3

        with aws_refusals("not verified: {}"):
            client = boto3.client("logs", region_name=region_or_environment(arguments.region))
            within = within or (arguments.style is Style.TERMS and terms_match_within_words(client))
            made = filter_pattern(signatures, arguments.style, terms_match_within_words=within)
            missed = (
                verify(client, made.pattern, list(variants(signatures, made.left_out)))
                if made.pattern
                else []
            )
    else:
        made = filter_pattern(signatures, arguments.style, terms_match_within_words=within)
    if missed:
        made = FilterPattern(
            "", reason=f"CloudWatch's engine would have kept {len(missed)} samples from Tocsin"
        )
        for message in missed[:10]:
            print(f"tocsin filter-pattern: kept back: {message[:160]!r}", file=sys.stderr)
    _say(made, signatures, verified=arguments.verify)
    if made.pattern and _finds_errors(config):
        print(f"tocsin filter-pattern: {HIDES_ERRORS}", file=sys.stderr)
    if arguments.json:
        answer = {
            "pattern": made.pattern,
            "length": len(made.pattern),
            "most": MAX_PATTERN_LENGTH,
            "pieces": list(made.pieces),
            "reason": made.reason or None,
            "left_out": list(made.left_out),
        }
        print(json.dumps(answer, indent=2))
    else:
        print(made.pattern)
    return 1 if missed else 0


def _finds_errors(config: Configuration) -> bool:
    return bool(ErrorFinder(config.signatures, config.settings.errors).raw_expression)


def _say(made: FilterPattern, signatures: Mapping[str, Signature], *, verified: bool) -> None:
    """Say on standard error what must be known of a pattern."""
    if made.reason:
        print(f"tocsin filter-pattern: no safe pattern, so the empty one: {made.reason}", file=sys.stderr)
    for name in made.left_out:
        print(f"tocsin filter-pattern: {_left_out(signatures[name])}", file=sys.stderr)
    if verified and not made.reason:
        print("tocsin filter-pattern: CloudWatch's engine lets every sample through", file=sys.stderr)


def _left_out(rule: Signature) -> str:
    """What people must do about an absence that the pattern makes Tocsin blind for."""
    return (
        f"{rule.id} is left out, because its lines do not fit: with this pattern Tocsin sees neither its signs of life "
        "nor its work, and it can never fire. Either leave FilterPattern empty, or subscribe the log groups in its "
        "scope by a stack of their own with an empty FilterPattern"
    )


def terms_match_within_words(client: CloudWatchLogsClient) -> bool:
    """Ask the engine what AWS does not document."""
    return not verify(client, '?rror ?"xcep_"', ["TypeError in handler", "an except_on"])


def verify(client: CloudWatchLogsClient, pattern: str, messages: Sequence[str]) -> list[str]:
    """The messages that CloudWatch's own engine does not let through.

    Args:
        client: A client of CloudWatch Logs.
        pattern: The filter pattern.
        messages: Log events.

    Raises:
        botocore.exceptions.ClientError: The engine refuses the pattern, or the call is not allowed.
    """
    missed = []
    for batch in _batches(messages):
        answer = client.test_metric_filter(filterPattern=pattern, logEventMessages=batch)
        passed = {match["eventNumber"] for match in answer["matches"]}
        missed += [message for number, message in enumerate(batch, start=1) if number not in passed]
    return missed


def variants(signatures: Mapping[str, Signature], left_out: Collection[str] = ()) -> Iterator[str]:
    """Every sample that must be recognised, as it is and as a JSON logger would write it; not of those left out."""
    for rule in signatures.values():
        if rule.source is not Source.ALARM and rule.status is not Status.OFF and rule.id not in left_out:
            for sample in (*rule.matches, *rule.absence.work_matches):
                yield sample
                yield json.dumps({"level": "ERROR", "message": sample})
                yield sample.replace(" ", "\xa0").replace("\n", "\r")


def _batches(messages: Sequence[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    for message in messages:
        if len(batch) == MAX_TESTED or sum(map(len, batch)) + len(message) > MAX_TESTED_SIZE:
            yield batch
            batch = []
        batch.append(message)
    if batch:
        yield batch
