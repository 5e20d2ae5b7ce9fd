"""Signatures: reviewed rules for known failures, read from TOML and checked as they are read.

The structure is checked at every load, at cold start too; the proof (samples, runbooks) by ``tocsin check``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from tocsin.core.lazy_expressions import lazy
from tocsin.core.model import Level, Severity
from tocsin.core.problems import Problem, did_you_mean
from tocsin.core.signatures.absence_rule import KEYS as ABSENCE_KEYS
from tocsin.core.signatures.absence_rule import AbsenceRule, read_absence
from tocsin.core.signatures.field_search import field_search
from tocsin.core.signatures.signature import UNKNOWN_ERROR, AlarmRule, Signature, Source, Status, Threshold
from tocsin.core.table_reader import TableReader
from tocsin.core.times import parse_duration

T = TypeVar("T", bound=StrEnum)
ID = lazy(r"[a-z0-9]+(-[a-z0-9]+)*")


class Key(NamedTuple):
    """One key of a signature's table: what the reader accepts and what the JSON Schema for editors says.

    Attributes:
        meaning: One sentence for the schema.
        kind: ``text``, ``choice``, ``strings``, ``expressions``, ``samples``, ``flag``, ``duration`` or ``table``.
        required: Whether a signature without it does not load.
        most: For text, the most characters.
        choices: For a choice, the values.
        keys: For a table, the kinds of the keys within it.
    """

    meaning: str
    kind: str = "text"
    required: bool = False
    most: int = 0
    choices: type[StrEnum] | None = None
    keys: Mapping[str, str] = MappingProxyType({})


KEYS: Mapping[str, Key] = {
    "title": Key("What broke, in a few words.", required=True, most=120),
    "severity": Key("How bad it is.", "choice", required=True, choices=Severity),
    "summary": Key(
        "What it means; {service} and captured fields may be named in braces.", required=True, most=600
    ),
    "first_action": Key("What to do first, with a `command`.", required=True, most=600),
    "runbook": Key("The file name of its page in runbooks/.", required=True, most=120),
    "matches": Key("Samples that it must recognise; at least one.", "samples", required=True),
    "ignores": Key("Samples that it must not recognise; at least one.", "samples", required=True),
    "status": Key("stable; test: counted, never posted; off: not looked for.", "choice", choices=Status),
    "source": Key(
        "What it looks at: log lines, CloudWatch alarms, or the absence of a line.", "choice", choices=Source
    ),
    "any": Key("RE2 expressions, one of which must be found; named groups become fields.", "expressions"),
    "fields": Key(
        "What fields of a structured line must be: globs; level is the lowest level that it must state.",
        "fields",
    ),
    "not": Key("RE2 expressions, none of which may be found.", "expressions"),
    "group_by": Key("The fields that tell alerts of this signature apart.", "strings"),
    "min_level": Key("The lowest level a line may state; warning unless said.", "choice", choices=Level),
    "scope": Key("Where it looks: globs.", "table", keys={"services": "strings", "log_groups": "strings"}),
    "threshold": Key(
        "How many occurrences, within what time.", "table", keys={"count": "number", "within": "duration"}
    ),
    "resolve_after": Key("Its own quiet period.", "duration"),
    "inhibits": Key("Ids of the signatures that this one explains.", "strings"),
    "owner": Key("Who looks after it.", most=120),
    "alarm": Key(
        "With source = \"alarm\": globs for the metric's namespace and name and for the alarm's or a dimension's name.",
        "table",
        keys={"namespace": "strings", "metric": "strings", "name": "strings"},
    ),
    "absence": Key(
        'With source = "absence": how long the line may stay away, and while what.',
        "table",
        keys=ABSENCE_KEYS,
    ),
    "catch_all": Key("It speaks only where no other signature does.", "flag"),
    "reads_crash": Key("It is given the fields exception and frame where its line is a crash.", "flag"),
    "watch_queue": Key("For alarms: while it fires, the queue that its alarm is about is looked at.", "flag"),
}
"""Every key that a signature may have."""
REQUIRED = tuple(name for name, key in KEYS.items() if key.required)
ALARM_FIELDS = ("alarm", "metric", "namespace", "queue", "queue_arn", "function", "resource", "description")
"""What a signature with ``source = "alarm"`` can name and group by."""
PLACE_FIELDS = """
    log_group function alarm role secret key bucket queue server user database host cluster task first_day
    next_day
""".split()
"""What ``first_action`` can name whatever was captured: where an alert comes from, and what its line may name."""
TRACEBACK_FIELDS = ("exception", "frame", "message")
"""What a catch-all is given from the crash in a line: the exception's type, the innermost own frame and its words."""


def parse_signatures(files: Mapping[str, str]) -> tuple[dict[str, Signature], list[Problem]]:
    """Read signature files.

    Args:
        files: The content by file name (relative to the deployment root, e.g. ``signatures/database.toml``).

    Returns:
        The signatures without a problem by id, in file order, and every problem found.
    """
    tables, unreadable = parse_tables(files)
    signatures, problems = read_signatures(tables)
    return signatures, unreadable + problems


def parse_tables(files: Mapping[str, str]) -> tuple[dict[str, Mapping[str, Any]], list[Problem]]:
    """The tables of each signature file, and which files are not TOML."""
    import tomllib  # not at the top: a function reads no TOML

    tables: dict[str, Mapping[str, Any]] = {}
    problems: list[Problem] = []
    for file, text in files.items():
        try:
            tables[file] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            problems.append(Problem(file, "", f"not TOML: {error}"))
    return tables, problems


def read_signatures(tables: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, Signature], list[Problem]]:
    """Read signatures from parsed files.

    Args:
        tables: The tables by file name.

    Returns:
        As ``parse_signatures``.
    """
    signatures: dict[str, Signature] = {}
    problems: list[Problem] = []
    for file, entries in tables.items():
        for name, table in entries.items():
            if name in signatures:
                hint = "choose another, or change that one with [override] in tocsin.toml"
                first = signatures[name].file
                problems.append(
                    Problem(
                        file,
                        name,
                        f"is also in {first}; ids are unique{': ' + hint if first != file and first.startswith('pack/') else ''}",
                    )
                )
                continue
            if not isinstance(table, dict):
                problems.append(Problem(file, name, f"must be a table, is {table!r}"))
                continue
            reader = _Reader(file, name, table)
            signature = reader.signature()
            problems += reader.problems
            if signature is not None:
                signatures[name] = signature
    for signature in signatures.values():
        problems += [
            Problem(
                signature.file,
                f"{signature.id}.inhibits",
                f"there is no signature {other!r}{did_you_mean(other, signatures)}",
            )
            for other in signature.inhibits
            if other not in signatures and not problems
        ]
    problems += [] if problems else _circles(signatures)
    return signatures, problems


def _circles(signatures: Mapping[str, Signature]) -> list[Problem]:
    """Signatures that explain each other away: a line that all of them match would raise nothing."""
    problems = []
    for signature in signatures.values():
        seen, ahead = set[str](), list(signature.inhibits)
        while ahead:
            other = ahead.pop()
            if other == signature.id:
                problems.append(
                    Problem(
                        signature.file,
                        f"{signature.id}.inhibits",
                        "leads back to itself; together they go silent",
                    )
                )
                break
            if other not in seen:
                seen.add(other)
                ahead += signatures[other].inhibits
    return problems


class _Reader(TableReader):
    """Reads one table, gathering what is wrong with it."""

    def signature(self) -> Signature | None:
        """The signature, or None when there are problems."""
        self.check_keys()
        source, catch_all = self.choice("source", Source, Source.LOG), self.flag("catch_all")
        any_ = self.expressions("any")
        none = self.expressions("not")
        fields = self.fields(source)
        if source is not Source.ALARM and not any_ and not fields:
            self.wrong("any", "needs at least one expression, or fields")
        if source is Source.ALARM and (any_ or none):
            self.wrong("any", 'a signature with source = "alarm" has no expressions; use alarm')
        scope, absence = self.known("scope"), self.absence_rule(source)
        signature = Signature(
            id=self.key,
            file=self.file,
            source=source,
            title=self.text("title"),
            summary=self.text("summary"),
            first_action=self.text("first_action"),
            runbook=self.text("runbook"),
            severity=self.choice("severity", Severity, Severity.HIGH),
            status=self.choice("status", Status, Status.STABLE),
            any=any_,
            none=none,
            fields=fields,
            group_by=self.strings("group_by"),
            alarm=self.alarm_rule(source),
            absence=absence,
            matches=self.samples("matches", source),
            ignores=self.samples("ignores", source),
            min_level=self.choice("min_level", Level, Level.WARNING),
            services=_globs(scope, "services"),
            log_groups=_globs(scope, "log_groups"),
            threshold=self.threshold(),
            resolve_after=self.duration("resolve_after", None),
            inhibits=self.strings("inhibits"),
            owner=self.text("owner"),
            catch_all=catch_all,
            watch_queue=self.flag("watch_queue"),
            reads_crash=self.flag("reads_crash"),
        )
        self.check_names(signature)
        return None if self.problems else signature

    def check_keys(self) -> None:
        """The id, the keys that are missing and those that are not known."""
        if self.key == UNKNOWN_ERROR:
            self.wrong("", "is built in; take another id")
        if not ID.fullmatch(self.key):
            self.wrong("", "an id is lower-case words joined by hyphens, such as import-module-error")
        for key in REQUIRED:
            if key not in self.table:
                self.wrong(key, "is missing")
        self.only(KEYS)

    def check_names(self, signature: Signature) -> None:
        """The runbook's name, and the fields that are named without being captured."""
        known = {name for expression in signature.any for name in _groups(expression)}
        if signature.source is not Source.LOG:
            known = set(ALARM_FIELDS) if signature.source is Source.ALARM else set()
        elif signature.catch_all or signature.reads_crash:
            known |= set(signature.fields) - {"level"} | set(
                TRACEBACK_FIELDS if signature.catch_all else TRACEBACK_FIELDS[:2]
            )
        elif signature.fields:
            known |= set(signature.fields) - {"level"}
        for name in signature.group_by:
            if name not in known:
                self.wrong("group_by", f"no expression captures {name!r}; captured are {sorted(known)}")
        if signature.runbook and not re.fullmatch(r"[\w.-]+\.md", signature.runbook):
            self.wrong(
                "runbook", f"must be the name of a Markdown file in runbooks/, is {signature.runbook!r}"
            )
        for key in ("summary", "first_action"):
            named = known | {"service"} | (set(PLACE_FIELDS) if key == "first_action" else set())
            for name in re.findall(r"\{(\w*)\}", getattr(signature, key)):
                if name not in named:
                    self.wrong(key, f"names {{{name}}}, which no expression captures")

    def text(self, key: str) -> str:
        most = KEYS[key].most
        value = self.table.get(key, "")
        if not isinstance(value, str) or len(value) > most or (key in self.table and not value.strip()):
            self.wrong(key, f"must be text of 1 to {most} characters, is {value!r}")
            return ""
        return value

    def samples(self, key: str, source: Source) -> tuple[Any, ...]:
        value = self.table.get(key, [])
        kind: type = dict if source is Source.ALARM else str
        if not isinstance(value, list) or not all(isinstance(entry, kind) and entry for entry in value):
            self.wrong(key, f"must be a list of {'log lines' if kind is str else 'tables'}")
            return ()
        if not value and key in self.table:
            self.wrong(key, "needs at least one sample: a signature without proof does not load")
        return tuple(value)

    def known(self, key: str) -> TableReader:
        """The table of this key, which has only the keys that are known of it."""
        table = self.subtable(key)
        table.only(KEYS[key].keys)
        return table

    def alarm_rule(self, source: Source) -> AlarmRule:
        given = self.known("alarm")
        if bool(given.table) != (source is Source.ALARM):
            self.wrong(
                "alarm", 'source = "alarm" and a table alarm with namespace, metric or name go together'
            )
        return AlarmRule(*(_globs(given, key) for key in ("namespace", "metric", "name")))

    def absence_rule(self, source: Source) -> AbsenceRule:
        given = self.known("absence")
        if bool(given.table) != (source is Source.ABSENCE):
            self.wrong("absence", 'source = "absence" and a table absence with within go together')
        if source is not Source.ABSENCE or not given.table:
            return AbsenceRule()
        return read_absence(self, given)

    def fields(self, source: Source) -> dict[str, tuple[str, ...]]:
        """The table ``fields``: any names, globs as values; something in it must be there to be looked for."""
        given = self.subtable("fields")
        if given.table and source is not Source.LOG:
            self.wrong("fields", "are those of log lines")
            return {}
        found = {name: _globs(given, name) for name in given.table}
        if "level" in found and not (len(found["level"]) == 1 and found["level"][0] in set(Level)):
            given.wrong("level", f"must be one of {', '.join(Level)}, is {given.table['level']!r}")
        elif found and not self.table.get("any") and field_search(found) is None:
            self.wrong(
                "fields",
                "nothing in it can be looked for: level error or critical, or 4 letters or digits in every glob of a field",
            )
        return found

    def threshold(self) -> Threshold | None:
        given = self.known("threshold")
        if not given.table:
            return None
        count = given.table.get("count")
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            given.wrong("count", f"must be a whole number from 1, is {count!r}")
            return None
        try:
            return Threshold(count, parse_duration(given.table.get("within") or ""))
        except ValueError as error:
            given.wrong("within", str(error))
            return None


def _globs(given: TableReader, key: str) -> tuple[str, ...]:
    """A glob, or a list of them."""
    value = given.table.get(key)
    one = TableReader(given.file, given.key, {key: [value]}, given) if isinstance(value, str) else given
    return one.strings(key, "globs")


def _groups(expression: str) -> set[str]:
    return set(re.findall(r"\(\?P<(\w+)>", expression))
