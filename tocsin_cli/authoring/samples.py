"""Whether signatures keep what their samples promise; what ``tocsin check`` and the tests run."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from tocsin.core.absence.expected_lines import ExpectedLines, Sign
from tocsin.core.matching.matcher import Matcher
from tocsin.core.model import AlarmChange, AlarmState
from tocsin.core.problems import Problem
from tocsin.core.signatures.signature import Signature, Source, Status

SAMPLE_KEYS = ("alarm", "namespace", "metric", "dimensions")
"""What a sample of an alarm may hold."""


def prove(signatures: Mapping[str, Signature], runbooks: Collection[str]) -> list[Problem]:
    """Try every sample against all signatures together, and look for each runbook.

    Args:
        signatures: By id; their structure is right already.
        runbooks: The file names that exist in ``runbooks/``.

    Returns:
        What does not hold, in the order of the signatures.
    """
    # What is off or in test mode is proven as it will be once it is neither, so that switching it on is one word.
    signatures = {name: replace(rule, status=Status.STABLE) for name, rule in signatures.items()}
    matcher, expected_lines = Matcher(signatures), ExpectedLines(signatures, str)
    problems: list[Problem] = []
    titles: dict[str, str] = {}
    for signature in signatures.values():
        first = titles.setdefault(signature.title.lower(), signature.id)
        if first != signature.id:
            problems.append(Problem(signature.file, f"{signature.id}.title", f"is also the title of {first}"))
        if signature.runbook not in runbooks:
            problems.append(
                Problem(
                    signature.file, f"{signature.id}.runbook", f"there is no runbooks/{signature.runbook}"
                )
            )
        problems += (
            _signs(expected_lines, signature)
            if signature.source is Source.ABSENCE
            else _samples(matcher, signature)
        )
    return problems


def sample_alarm(sample: Mapping[str, Any]) -> AlarmChange:
    """The alarm change that an alarm signature's sample stands for.

    Raises:
        ValueError: The sample has other keys than ``SAMPLE_KEYS``, or values of the wrong kind.
    """
    unknown = sorted(set(sample) - set(SAMPLE_KEYS))
    dimensions = sample.get("dimensions", {})
    if unknown:
        raise ValueError(f"unknown key {unknown[0]!r}; known are {', '.join(SAMPLE_KEYS)}")
    if not isinstance(dimensions, dict) or not all(isinstance(value, str) for value in dimensions.values()):
        raise ValueError(f"dimensions must be a table of strings, is {dimensions!r}")
    texts = {key: sample.get(key, "") for key in ("alarm", "namespace", "metric")}
    for key, value in texts.items():
        if not isinstance(value, str):
            raise ValueError(f"{key} must be text, is {value!r}")
    return AlarmChange(
        id="sample",
        name=texts["alarm"],
        arn="",
        state=AlarmState.ALARM,
        previous=None,
        reason="",
        at=0,
        account="",
        region="",
        namespace=texts["namespace"],
        metric=texts["metric"],
        dimensions=dimensions,
    )


def _samples(matcher: Matcher, signature: Signature) -> Iterator[Problem]:
    for key, samples in (("matches", signature.matches), ("ignores", signature.ignores)):
        for number, sample in enumerate(samples):
            where = f"{signature.id}.{key}[{number}]"
            try:
                ids = _recognised(matcher, signature, sample)
            except ValueError as error:
                yield Problem(signature.file, where, str(error))
                continue
            if key == "ignores" and signature.id in ids:
                yield Problem(
                    signature.file, where, f"is recognised, though it must not be{_why(matcher, sample)}"
                )
            elif key == "matches" and signature.id not in ids:
                yield Problem(
                    signature.file,
                    where,
                    f"is not recognised{_why_not(matcher, signature, sample, ids)}: {_cut(sample)}",
                )
            elif key == "matches" and len(ids) > 1:
                others = ", ".join(name for name in ids if name != signature.id)
                yield Problem(
                    signature.file,
                    where,
                    f"is also recognised by {others}; say with inhibits which explains the other",
                )


def _signs(expected_lines: ExpectedLines, rule: Signature) -> Iterator[Problem]:
    """Samples of a line that must appear, and of the lines that show work for it."""
    group, service = _first_in_scope(rule)
    for sign, prefix, wanted, unwanted in (
        (Sign.LIFE, "", rule.matches, rule.ignores),
        (Sign.WORK, "absence.work_", rule.absence.work_matches, rule.absence.work_ignores),
    ):
        for key, samples in (("matches", wanted), ("ignores", unwanted)):
            for number, sample in enumerate(samples):
                found = expected_lines.shown(sample, log_group=group, service=service)
                shows = any((name, shown) == (rule.id, sign) for name, shown, _ in found)
                where = f"{rule.id}.{prefix}{key}[{number}]"
                if key == "ignores" and shows:
                    yield Problem(rule.file, where, f"is taken for a {sign}, though it must not be")
                elif key == "matches" and not shows:
                    yield Problem(rule.file, where, f"is not taken for a {sign}: {_cut(sample)}")


def _first_in_scope(signature: Signature) -> tuple[str, str]:
    """A log group and a service that the signature looks at."""
    group = signature.log_groups[0].replace("*", "x") if signature.log_groups else ""
    return group, signature.services[0].replace("*", "x") if signature.services else ""


def _recognised(
    matcher: Matcher, signature: Signature, sample: Any
) -> list[str]:  # a log line, or a table for an alarm
    if signature.source is Source.ALARM:
        return [match.signature for match in matcher.match_alarm(sample_alarm(sample))]
    group, service = _first_in_scope(signature)
    return [match.signature for match in matcher.match(sample, log_group=group, service=service)]


def _why(matcher: Matcher, sample: object) -> str:
    if not isinstance(sample, str):
        return ""
    verdicts = [verdict for verdict in matcher.explain(sample).verdicts if verdict.outcome == "matched"]
    return f" (by {verdicts[0].detail})" if verdicts else ""


def _why_not(matcher: Matcher, signature: Signature, sample: object, ids: list[str]) -> str:
    if isinstance(sample, str):
        for verdict in matcher.explain(sample).verdicts:
            if verdict.signature == signature.id:
                return f" ({verdict.outcome}{': ' if verdict.detail else ''}{verdict.detail})"
        return " (none of its literals is in it)"
    return f" (it is {', '.join(ids)})" if ids else ""


def _cut(sample: object) -> str:
    text = str(sample)
    return repr(text if len(text) <= 160 else text[:157] + "…")  # a line of a terminal
