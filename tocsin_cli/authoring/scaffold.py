"""A first draft of a signature from one log line: expression, samples, runbook."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tocsin.core.matching.levels import stated_level
from tocsin.core.matching.logline import read_line
from tocsin.core.model import Level, Severity
from tocsin.core.redaction.rule import Rule
from tocsin.core.redaction.sample import WITHHELD, sample_of
from tocsin.core.sanitize import one_line
from tocsin.core.signatures.literals import NoLiteralError, required_literals
from tocsin.core.signatures.signature import Status
from tocsin_cli.command_error import CommandError

MAX_TEXT_LENGTH = 240
"""Characters of the line that the expression is made of; more would hardly ever come the same way again."""


class ScaffoldError(CommandError):
    """No signature can be made of this; says why and what to do."""


@dataclass(frozen=True, slots=True)
class Scaffold:
    """What was made.

    Attributes:
        table: The TOML table.
        runbook: The page.
        expression: The expression in the table.
        fields: The names of its groups.
        inhibits: The signatures that recognised the line already, which the new one explains.
    """

    table: str
    runbook: str
    expression: str
    fields: tuple[str, ...]
    inhibits: tuple[str, ...]


class _Varying(NamedTuple):
    """A part of a line that is another one next time.

    Attributes:
        shape: What it looks like in the line.
        expression: What stands for it; ``{}`` is its name.
        name: What it is called where the words before it do not say.
    """

    shape: str
    expression: str
    name: str


_VARYING = (
    _Varying(r"\[REDACTED:[\w-]+\]", r"\S+", ""),
    _Varying(r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b", r"[0-9a-fA-F-]{36}", ""),
    _Varying(
        r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[\d.,]*(?:Z|[+-]\d\d:?\d\d)?",
        r"\d{4}-\d\d-\d\d[T ][\d:.,+Z-]+",
        "",
    ),
    _Varying(r"https?://[^\s\"'<>)\]]+", r"(?P<{}>https?://[^\s\"'<>)\]]+)", "url"),
    _Varying(r"\barn:aws[\w-]*:[^\s\"',)\]]+", r"(?P<{}>arn:[^\s\"',)\]]+)", "arn"),
    _Varying(r"(?<=')[^'\n]{1,120}(?=')", r"(?P<{}>[^'\n]*)", "value"),
    _Varying(r'(?<=")[^"\n]{1,120}(?=")', r'(?P<{}>[^"\n]*)', "value"),
    _Varying(r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b", r"(?P<{}>[\d.]+(?::\d+)?)", "address"),
    _Varying(r"(?<![\w/])/(?:[\w.@-]+/)*[\w.@-]+", r"(?P<{}>/[\w./@-]+)", "path"),
    _Varying(r"\b(?:0x)?[0-9a-fA-F]{12,}\b", r"\w+", ""),
    _Varying(r"(?<![\w.])-?\d+(?:[.,]\d+)*(?!\.*\w)", r"(?P<{}>-?\d+(?:[.,]\d+)*)", "number"),
    _Varying(r"\b(?=\w*\d)(?=\w*[A-Za-z])\w{6,}\b", r"\w+", ""),
)
_ANY_VARYING = re.compile(
    "|".join(f"(?P<v{number}>{varying.shape})" for number, varying in enumerate(_VARYING))
)
_PREFIX = re.compile(
    r"^\s*(?:\d{4}-\d\d-\d\d[T ][\d:.,]+(?:Z|[+-]\d\d:?\d\d)?|[A-Z][a-z]{2} +\d+ [\d:]+|[\[(]?(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL"
    r"|FATAL)[\])]?:?|[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|[-|])(?=[\s]|$)"
)
_SPECIAL = re.compile(r"([\\.+*?()|\[\]{}^$])")
_BEFORE = 200
"""Characters before what varies in which its name is looked for."""
_STOP = """
    a an and at for from in is of on or the to was with after error
""".split()
"""Words that name nothing."""


def scaffold(
    name: str,
    line: str,
    *,
    severity: Severity,
    title: str,
    inhibits: Sequence[str] = (),
    redaction: Sequence[Rule] = (),
) -> Scaffold:
    """Draft a signature.

    Args:
        name: Its id.
        line: The log line, as pasted.
        severity: How bad it is.
        title: What broke.
        inhibits: Signatures that recognise the line already.
        redaction: Rules of redaction besides those that are built in.

    Raises:
        ScaffoldError: Nothing distinguishes the line from others, or it could not be redacted.
    """
    sample = sample_of(line, redaction)
    if sample == WITHHELD:
        raise ScaffoldError(
            "the line could not be redacted, so nothing of it is kept; write the signature by hand"
        )
    if not sample.strip():
        raise ScaffoldError("the line is empty")
    text = read_line(sample)
    failure = _failing_line(text.text)
    expression, fields = _expression(failure)
    try:
        required_literals(expression)
    except NoLiteralError as error:
        raise ScaffoldError(
            f"nothing in the line distinguishes it from others: {failure!r} ({error})"
        ) from error
    level = text.level
    texts = {
        "title": title,
        "severity": severity.value,
        "status": Status.TEST.value,
        **({"min_level": level.value} if level is not None and level.rank < Level.WARNING.rank else {}),
        "summary": f"To be written: what this means for {{service}} and its users ({one_line(title)}).",
        "first_action": "To be written: the first thing to look at or to do, with its `command`.",
        "runbook": f"{name}.md",
    }
    lists = {
        "group_by": [field for field in fields if not field.startswith(("number", "value", "url"))][:2],
        "inhibits": inhibits,
        "matches": [sample],
        "ignores": [_ignored(failure)],
    }
    table = _table(name, texts, lists, expression)
    return Scaffold(table, _runbook(title, failure), expression, fields, tuple(inhibits))


def _failing_line(text: str) -> str:
    """The line that names the failure: of a traceback the last one that is not indented, else the first."""
    lines = [line for line in text.split("\n") if line.strip()]
    if "Traceback (most recent call last):" in text:
        after = text.partition("Traceback (most recent call last):")[2].split("\n")
        named = [line for line in after if line and not line[0].isspace()]
        first = next((line for line in lines if not line.startswith("Traceback")), "")
        # Lambda names the exception before the traceback, Python after it.
        lines = [named[-1]] if named else [first]
    failure = next(
        (line for line in lines if stated_level(line) is not None and stated_level(line) != Level.INFO),
        lines[0],
    )
    while (prefix := _PREFIX.match(failure)) and failure[prefix.end() :].strip():
        failure = failure[prefix.end() :]
    failure = failure.strip()
    return (
        failure
        if len(failure) <= MAX_TEXT_LENGTH
        else failure[:MAX_TEXT_LENGTH].rpartition(" ")[0] or failure[:MAX_TEXT_LENGTH]
    )


def _expression(failure: str) -> tuple[str, tuple[str, ...]]:
    """The line with what varies replaced by groups, named after the word before it."""
    parts: list[str] = []
    names: list[str] = []
    position = 0
    for found in _ANY_VARYING.finditer(failure):
        if not found.group():
            continue
        before = failure[position : found.start()]
        parts.append(_escaped(before))
        varying = _VARYING[int(str(found.lastgroup)[1:])]
        if varying.name:
            names.append(_name(failure[: found.start()], varying.name, names))
            parts.append(varying.expression.replace("{}", names[-1], 1))
        else:
            parts.append(varying.expression)
        position = found.end()
    parts.append(_escaped(failure[position:]))
    return "".join(parts), tuple(names)


def _escaped(text: str) -> str:
    return re.sub(r"\s+", lambda blank: " " if blank[0] == " " else r"\s+", _SPECIAL.sub(r"\\\1", text))


def _name(before: str, usual: str, taken: Sequence[str]) -> str:
    words = re.findall(r"([A-Za-z_][A-Za-z0-9_]*)\W*$", before[-_BEFORE:])
    word = words[0].lower().strip("_") if words else ""
    name = word if word and word not in _STOP and len(word) <= 24 else usual  # the name of a field
    while name in taken or name == "service":
        name = f"{name}_{len(taken) + 1}"
    return name


def _ignored(failure: str) -> str:
    """A line that quotes the failure and is none."""
    return f"INFO runbook: `{failure.replace('`', chr(39))}` means that somebody should look"


def _table(name: str, texts: Mapping[str, str], lists: Mapping[str, Sequence[str]], expression: str) -> str:
    """Write the table: texts, then the expression, then the lists that hold anything."""
    keys = [(key, toml(value)) for key, value in texts.items()]
    keys.append(("any", f"[{toml_expression(expression)}]"))
    keys += [(key, f"[{', '.join(map(toml, values))}]") for key, values in lists.items() if values]
    return f"[{name}]\n" + "".join(f"{key:<12} = {value}\n" for key, value in keys)


def toml(text: str) -> str:
    """A TOML basic string: that of JSON, with what only TOML forbids escaped too."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def toml_expression(text: str) -> str:
    """A TOML literal string, in which no character is special; a basic one where the expression holds its end."""
    if (
        "'''" in text or text.endswith("'") or any(ord(c) < 32 or ord(c) == 127 for c in text)
    ):  # control characters
        return toml(text)
    return f"'''{text}'''"


def _runbook(title: str, failure: str) -> str:
    quoted = failure.replace("`", "'")
    words = max(re.findall(r"[A-Za-z][A-Za-z0-9_]{3,}", failure), key=len, default="ERROR")
    return f"""# {one_line(title)}

To be written: in one sentence, what no longer works while this goes on.

```sh
export AWS_REGION='<region>'
FUNCTION='<function name>'   # the log group's name after /aws/lambda/
STACK='<stack name>'
```

## What it means

To be written: what the line says about the cause, and which causes are usual. The line that it was made from:

- `{quoted}`

## Confirm

```sh
# Still going on? Nothing printed means no: then check that there is traffic at all.
aws logs tail "/aws/lambda/$FUNCTION" --since 10m --format short --filter-pattern '"{words}"'
```

To be written: what else shows whether it is this, by commands that only read.

## Fix

To be written: what brings the service back, fastest first. Rolling back is in [the index](README.md#roll-back-a-function).

```sh
sam build && sam deploy --stack-name "$STACK"
```

## Prevent

- To be written: the check, limit or alarm that would have kept this from happening or from going unnoticed.
"""
