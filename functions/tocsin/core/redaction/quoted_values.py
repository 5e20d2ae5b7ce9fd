"""What programs quote when they fail: the value that could not be read, parameters, arguments, locals, whole records.

It may be anything of anybody, so it is hidden wholesale; the type of the error, the place, the column and the key stay. All
expressions are RE2's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Final, NamedTuple

import re2

from tocsin.core.expressions import re2_options
from tocsin.core.lazy_expressions import lazy
from tocsin.core.redaction.key_values import Span, closing_bracket
from tocsin.core.redaction.strict import in_plain_words

_MAX_FINDS: Final = 200


class Quotation(NamedTuple):
    """One way in which something is quoted.

    Attributes:
        what: What is quoted, for the page.
        needles: Lower-case words, one of which occurs where there is such a quotation.
        expression: RE2, without regard to case; what is hidden is the first group that took part, or with
            ``bracketed`` what follows up to the closing bracket.
        bracketed: Whether the find ends with an opening bracket.
        judge: Whether what was found is to be hidden; None for always.
        within: Lower-case words, one of which must occur anywhere in the text; empty for none.
    """

    what: str
    needles: tuple[str, ...]
    expression: str
    bracketed: bool = False
    judge: Callable[[str], bool] | None = None
    within: tuple[str, ...] = ()


_IDENTIFIER: Final = lazy(
    r"[A-Za-z_$/][\w$./\-\[\]]{0,200}|[%{<$][^'\"]{0,60}|[\W_]{1,8}|\d{1,3}|[:,=}].*|(?:\d{1,3}\.){3}\d{1,3}"
)
_LETTERS_OR_DIGITS: Final = lazy(r"[^\W_]")
_RANDOM_DIGITS: Final = lazy(r"\d{4}")


def says_more_than_a_name(held: str) -> bool:
    """Whether a quoted text is more than the name of a key, a type or a column, a placeholder or a sign."""
    if not held or held[0] in ":,=}" or not _LETTERS_OR_DIGITS.search(held):
        return False
    if _IDENTIFIER.fullmatch(held) and not _RANDOM_DIGITS.search(held):
        return False
    return not in_plain_words(held)


_QUOTED: Final = (
    r"""(?:'([^'\n]+)'|"([^"\n]+)"|“([^”\n]+)”|`([^`\n]+)`|\\+"([^"\\\n]+)\\+"|\\+'([^'\\\n]+)\\+')"""
)
_QUOTED_VALUE: Final = rf"[bru]?{_QUOTED}"

QUOTATIONS: Final[tuple[Quotation, ...]] = (
    Quotation("pydantic's `input_value`", ("input_value=",), r"input_value=(.+?)(?:, input_type=|\]|\n|$)"),
    Quotation("A value that could not be read: invalid literals, dates, numbers, members of an enumeration, in whatever language",
              ("invalid", "convert", "incorrect", "parsing", "parse", "input string", "time data", "out of range", "malformed",
               "expected", "unexpected", "unrecognized", "unsupported", "bad ", "illegal", "truncated", "deserialize", "not recognized",
               "literal", "too long", "duplicate", "unknown", "must be", "value", "got "),
              r"(?:literal|value|string|input|text|data|syntax|pars(?:e|ing)|convert\w*|format|instance|date|time|timestamp|enum\w*|number|integer|float|"
              r"decimal|uuid|near|received|got|passed|provided|given|supplied|actual|entry|argument|type|column|content|cell|field|member|choice|option)"
              r"(?: [\w()./]{1,30}){0,6}(?:\(\))?[:,]?\s{0,2}" + _QUOTED_VALUE, judge=says_more_than_a_name),
    Quotation("The same where the value stands first: `'x' is not a valid …`",
              ("is not ", "does not ", "could not ", "was not ", "cannot be ", "value must ", "must be ", "isn't "),
              _QUOTED_VALUE + r" (?:value )?(?:is not|does not|could not|was not|cannot be|must be|isn't|is an? invalid|has an? invalid)",
              judge=says_more_than_a_name),
    Quotation("The value of a `KeyError`, where it is more than a name", ("keyerror",), r"KeyError[:(] ?" + _QUOTED_VALUE, judge=says_more_than_a_name),
    Quotation("botocore's and AWS's validation errors", (", value: ", "value '", "values: "),
              r"(?:, value: (.+?)(?:, type: |, valid |\n|$)|Value (?:'([^'\n]+)'|\"([^\"\n]+)\") at )"),
    Quotation("The parameters of a statement, as drivers and database servers write them",
              ("parameters", "params", "binding parameter", "binds", "bindings", "with args", "sql_args"),
              r"(?:(?:parameters|params|binds|bindings|sql_args|with args)(?: are)?(?::|=| =)\s{0,2}(?:\$1 ?= ?(.+)|([\[({].+))(?:\n|$)|"
              r"binding parameter \[.{1,40}?\](?: as \[\w{1,30}\]| <- | - )*-? ?\[(.+?)\](?:\n|$))"),
    Quotation("Texts in an SQL statement", ("select ", "insert ", "update ", "delete ", "where ", "values", "syntax to use near"),
              r"(?:[=<>(,]|\blike|\bin|\bnear|\bvalues|\bbetween|\band)\s{0,3}\(?[ENBX]?'([^'\n]+)'",
              judge=says_more_than_a_name, within=("select ", "insert into", "update ", "delete from", " where ", "sql", "statement:")),
    Quotation("What MySQL quotes from a statement", ("to use near",), r"to use near '(.+?)' at line"),
    Quotation("Mongo's and others' duplicate key", ("dup key:", "duplicate key value is"), r"(?:dup key: \{(.+?)\}|duplicate key value is \((.+?)\))"),
    Quotation("PostgreSQL's `DETAIL` with values in it", ("detail:",),
              r"\bDETAIL:\s{1,3}[^\n]{0,60}?[=(:] ?\(?(.*'.+|.{1,400}\))(?:\n|$)"),
    Quotation("The arguments of a task or call, as workers log them", ("args", "arguments", "called with", "kwargs", "payload", "input:"),
              r"(?:\bargs|\bkwargs|arguments|called with|call_args|\bargv)(?: were| was)?[\"']?(?:=|: | )[\"']?[\[({]", bracketed=True,
              judge=lambda held: any(quote in held for quote in "'\"") or any(map(str.isdigit, held))),
    Quotation("The arguments of a job's call", ("job", "worker", "celery", "rq.", "sidekiq", "dramatiq", "huey"),
              r"\b[a-z_][\w]{0,40}(?:\.[\w]{1,40}){1,8}\((?:[bu]?['\"]|\w{1,30}=['\"])", bracketed=True),
    Quotation("Local variables beside a traceback", ("-> ", "└ ", "= ", "│"),
              r"(?m)^[\s│|]{1,60}(?:-> |└ |\.{0,3}[A-Za-z_]\w{0,60} = )[bru]?(?:'([^'\n]+)|\"([^\"\n]+))",
              within=("traceback", 'file "', "locals"), judge=says_more_than_a_name),
    Quotation("Local variables in a frame beside a traceback, numbers too", ("= ",),
              r"(?m)^[\s│|]{2,60}[A-Za-z_]\w{0,60} = (\d{6,30}|datetime\.\w+\([^\n)]{1,80}\)|[\[({][^\n]{4}[^\n]*)", within=("traceback", 'file "', "locals")),
    Quotation("HL7 v2: everything in segments about a person", ("pid|", "nk1|", "pv1|", "obx|", "dg1|", "in1|", "gt1|", "al1|", "obr|", "nte|", "pd1|", "evn|", "mrg|", "rxe|", "orc|"),
              r"(?:PID|PD1|NK1|PV1|PV2|DG1|OBX|OBR|IN1|IN2|GT1|AL1|NTE|MRG|EVN|RXE|RXA|ORC|ZPD)\|([^\n]*)"),
    Quotation("X12: the segments about a person", ("nm1*", "dmg*", "n3*", "n4*", "hi*", "clm*", "ref*", "sbr*", "per*"),
              r"(?:NM1|DMG|N3|N4|HI|CLM|REF|SBR|PER|INS|DTP|TRN|SV1|SV2|LX)\*([^~\n]*)", within=("nm1*", "isa*", "st*2", "st*8", "dmg*")),
    Quotation("FHIR: a resource but its type", ("resourcetype",),
              r"resourceType\\{0,8}[\"']\s{0,2}:\s{0,2}\\{0,8}[\"'](?:[A-NP-Z]|O[^pP])\w{1,40}\\{0,8}[\"'],([^\n]*)"),
    Quotation("FHIR and clinical documents in XML", ("hl7.org/fhir", "urn:hl7-org", "<recordtarget", "<patientrole", "<patient"),
              r"(?:http://hl7\.org/fhir|urn:hl7-org:v3)[\"'][^>\n]{0,200}>([^\n]*)|<(?:recordTarget|patientRole|patient)\b[^>\n]{0,200}>([^\n]*)"),
    Quotation("Events of Cognito and API Gateway: attributes, headers, parameters, identity", ("userattributes", "requestcontext", "querystringparameters"),
              r"(?:userAttributes|headers|multiValueHeaders|queryStringParameters|multiValueQueryStringParameters|pathParameters|authorizer|identity|"
              r"clientMetadata|validationData|cookies|stageVariables|challengeAnswer|claims|privateChallengeParameters)\\{0,8}[\"']\s{0,2}:\s{0,2}[\[{]",
              bracketed=True, within=("requestcontext", "userpoolid", "httpmethod")),
    Quotation("… and path, body, user and address", ("userattributes", "requestcontext", "querystringparameters", "userpoolid"),
              r"\\{0,8}[\"'](?:path|rawPath|body|rawQueryString|userName|sourceIp|userAgent|user)\\{0,8}[\"']\s{0,2}:\s{0,2}\\{0,8}[\"'](.+?)\\{0,8}[\"'](?:,|\}|$)",
              within=("requestcontext", "userpoolid", "httpmethod")),
    Quotation("The two sides of an assertion", ("left", "right", "expected", "actual", "but was", "received"),
              r"(?:\bleft|\bright|\bexpected|\bactual|but was|\breceived)(?: value)?:?\s{1,3}[<\[]?" + _QUOTED_VALUE,
              judge=says_more_than_a_name),
    Quotation("The arguments in a frame of PHP's stack trace", ("#0 ", "#1 ", "#2 ", "#3 ", "#4 ", "#5 "),
              r"(?m)^#\d{1,3} .{1,300}?(?:->|::|: )\w{1,80}\(['\"]?[^)\n]", bracketed=True, judge=lambda held: "'" in held or '"' in held),
    Quotation("Spring's rejected value", ("rejected value",), r"rejected value \[(.+?)\]; "),
    Quotation("Values of an object that a message prints", (': "', ": '"),
              r"\{\s?(?:\w{1,40}: [^\n{}]{1,200}?, ?)?\w{1,40}: " + _QUOTED_VALUE, judge=says_more_than_a_name),
    Quotation("What a query looked for: `with 'name'='…'`", ("with '", 'with "', "where '"), r"(?:with|where) ['\"]\w{1,60}['\"] ?= ?" + _QUOTED_VALUE,
              judge=says_more_than_a_name),
    Quotation("Bodies and payloads that a client or server could not take", ("body", "payload", "[source:", "document"),
              r"(?:\[Source: \(\w{1,40}\)(.+?)(?:; line|\n|$)|(?:request|response)?[ _]?(?:body|payload)(?: was|:|=) ?([\[{].+)(?:\n|$))",
              judge=lambda held: "'" in held or '"' in held),
)  # fmt: skip


@cache
def _compiled(number: int) -> re2._Regexp:
    options = re2_options()
    options.case_sensitive = False
    return re2.compile(QUOTATIONS[number].expression, options)


def quoted(number: int) -> Callable[[str], Iterator[Span]]:
    """The search of one quotation, for texts that hold one of its needles."""
    quotation = QUOTATIONS[number]

    def search(text: str) -> Iterator[Span]:
        if quotation.within and not any(word in text.lower() for word in quotation.within):
            return
        covered = 0
        for count, found in enumerate(_compiled(number).finditer(text)):
            if found.end() <= covered:
                continue  # in what was hidden already; reading it again would cost its length again
            span = _span(quotation, text, found)
            covered = span[1]
            if count == _MAX_FINDS:
                yield span[0], len(text)
                return
            if quotation.judge is None or quotation.judge(text[span[0] : span[1]]):
                yield span

    return search


def _span(quotation: Quotation, text: str, found: re2._Match[str]) -> Span:
    if quotation.bracketed:
        opening = found.end() - 1
        while text[opening] not in "[({":
            opening -= 1
        return opening + 1, max(opening + 1, closing_bracket(text, opening) - 1)
    group = next(group for group in range(1, found.re.groups + 1) if found.start(group) >= 0)
    return found.start(group), found.end(group)
