"""Addresses in the CloudWatch console, in the escaping that it wants.

None of this is documented by AWS; it was read off addresses that the console itself makes (the tests hold
real ones). Two encodings are in use behind the ``#``: names in a path are percent-encoded twice, with ``$``
for the second round's percent sign (``/`` becomes ``$252F``); the query of Logs Insights is JSURL
(github.com/Sage/jsurl): ``~(key~'text~list~(~'text))``, other characters as ``*xx`` or ``**xxxx``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote

from tocsin.core.lazy_expressions import lazy
from tocsin.core.model import Millis
from tocsin.core.times import iso_time

MARGIN: Millis = 60_000
"""What a window shows before the first and after the last occurrence, so that the cause is in the picture."""

_UNRESERVED = "-_.!~*'()"
"""What JavaScript's encodeURIComponent leaves alone beside letters and digits."""
_JSURL_ORDINARY = lazy(r"[A-Za-z0-9_.-]*")
_REGION = lazy(r"[a-z]{2,4}(-[a-z0-9]+)+")
_CONSOLES = {
    "cn-": "console.amazonaws.cn",
    "us-gov-": "console.amazonaws-us-gov.com",
    # AWS European Sovereign Cloud (partition aws-eusc). Endpoints reference at docs.aws.eu, "AWS Management Console";
    # the AWS CLI's own tests open the same host.
    "eusc-": "console.amazonaws-eusc.eu",
    # The isolated partitions (aws-iso, -b, -e, -f): their consoles are published nowhere, and no link beats a wrong one.
    "us-iso": None,
    "eu-iso": None,
}
"""The console's host after the Region, by the Region's prefix; every other Region is of the partition ``aws``."""
_MAX_FILTERS = 6
_FLAGS = lazy(r"\A\(\?[imsU]+\)")
_UNSURE = lazy(r"\(\?[msU-]*i|\\Q")
_SYNTAX = "\\[](){}.*+?^$|"
_SURE = frozenset(map(chr, range(0x20, 0x7F))) - frozenset("\"'")


def log_stream_link(region: str, log_group: str, log_stream: str, first: Millis, last: Millis) -> str | None:
    """The log events of one stream around the occurrences; None when a part is not known, or the Region has no public console."""
    host = _host(region)
    if not (host and log_group and log_stream):
        return None
    names = f"{_twice(log_group)}/log-events/{_twice(log_stream)}"
    window = f"$3Fstart$3D{first - MARGIN}$26end$3D{last + MARGIN}"
    return f"{_home(region, host)}#logsV2:log-groups/log-group/{names}{window}"


def insights_link(region: str, log_group: str, query: str, first: Millis, last: Millis) -> str | None:
    """A Logs Insights query on one log group, for the window of the occurrences and a minute around it."""
    host = _host(region)
    if not (host and log_group):
        return None
    detail = (
        f"~(end~'{_jsurl(iso_time(last + MARGIN))}~start~'{_jsurl(iso_time(first - MARGIN))}"
        f"~timeType~'ABSOLUTE~unit~'seconds~tz~'UTC~editorString~'{_jsurl(query)}~source~(~'{_jsurl(log_group)})"
        "~lang~'CWLI)"
    )
    return f"{_home(region, host)}#logsV2:logs-insights$3FqueryDetail$3D{detail}"


def alarm_link(region: str, alarm: str) -> str | None:
    """The page of one alarm; None when a part is not known, or the Region has no public console."""
    host = _host(region)
    if not (host and alarm):
        return None
    return f"{_home(region, host)}#alarmsV2:alarm/{_percent(alarm)}"


def insights_query(expressions: Iterable[str]) -> str:
    """The query that shows the lines a signature recognises.

    Args:
        expressions: The signature's RE2 expressions. Of each, the longest text that every match must contain
            is looked for, because Insights' own expressions are another dialect: the answer may show a line
            more than the signature would. Without such a text the query shows every line.
    """
    lines = ["fields @timestamp, @message, @logStream"]
    if filters := _filters(expressions):
        lines.append("| filter " + " or ".join(f"@message like /{text}/" for text in filters))
    return "\n".join([*lines, "| sort @timestamp asc", "| limit 1000"])


def _filters(expressions: Iterable[str]) -> list[str]:
    """One for each expression, without repetitions; none where one has none, or there are too many."""
    found: dict[str, None] = {}
    for expression in expressions:
        found[_filter(expression)] = None
        if "" in found or len(found) > _MAX_FILTERS:
            return []
    return list(found)


def required_text(expression: str) -> str:
    """The longest plain text that every match of an RE2 expression contains, or an empty one.

    Careful rather than clever: what stands in a group, in a class or before a quantifier is passed over; an
    alternation, a change of case or a quotation inside means that nothing is sure. Quotation marks are passed
    over too, because a line of JSON has a backslash before them.
    """
    expression = _FLAGS.sub("", expression)
    if _UNSURE.search(expression):
        return ""
    runs, run, depth, at = [""], "", 0, 0
    while at < len(expression):
        character = expression[at]
        if character == "\\":
            character, at = expression[at : at + 2], at + 1
        if character == "[":
            at = _end_of_class(expression, at)
        depth += (character == "(") - (character == ")")
        if character == "|" and depth == 0:
            return ""
        literal = character not in _SYNTAX if len(character) == 1 else not character[1].isalnum()
        if depth == 0 and literal and character[-1] in _SURE:
            run += character[-1]
        else:
            if character in "*?{":
                run = run[:-1]
            if character == "{":
                at = max(at, expression.find("}", at))
            runs.append(run)
            run = ""
        at += 1
    return max([*runs, run], key=len).strip()


def _filter(expression: str) -> str:
    """One regular expression of Insights' dialect, empty when there is none that is sure."""
    text = required_text(expression)
    flags = _FLAGS.match(expression)
    # A space may have been a tab or a no-break space before the line was normalised for matching.
    pattern = re.sub(r"([\\/.*+?^$|()\[\]{}])", r"\\\1", text).replace(" ", ".")
    return f"(?i){pattern}" if pattern and flags and "i" in flags[0] else pattern


def _end_of_class(expression: str, start: int) -> int:
    at = start + 1
    if expression.startswith("^", at):
        at += 1
    at += 1  # a bracket in first place stands for itself
    while at < len(expression) and expression[at] != "]":
        at += 2 if expression[at] == "\\" else 1
    return min(at, len(expression) - 1)


def _host(region: str) -> str | None:
    """The host of the console of a Region; None where there is none to link to."""
    if not _REGION.fullmatch(region):
        return None
    for prefix, host in _CONSOLES.items():
        if region.startswith(prefix):
            return host
    return "console.aws.amazon.com"


def _home(region: str, host: str) -> str:
    return f"https://{region}.{host}/cloudwatch/home?region={region}"


def _twice(name: str) -> str:
    return _percent(_percent(name)).replace("%", "$")


def _percent(text: str) -> str:
    return quote(text, safe=_UNRESERVED, errors="replace")


def _jsurl(text: str) -> str:
    if _JSURL_ORDINARY.fullmatch(text):
        return text
    return "".join(map(_jsurl_unit, _utf16_units(text)))


def _jsurl_unit(unit: int) -> str:
    character = chr(unit)
    if _JSURL_ORDINARY.fullmatch(character):
        return character
    if character == "$":
        return "!"
    return f"*{unit:02x}" if unit < 0x100 else f"**{unit:04x}"  # JSURL's own border


def _utf16_units(text: str) -> list[int]:
    raw = text.encode("utf-16-be", "surrogatepass")
    return [int.from_bytes(raw[at : at + 2]) for at in range(0, len(raw), 2)]
