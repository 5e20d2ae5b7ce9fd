"""Reading a line costs no more than its length: no text makes an expression read itself again and again.

Whoever can write into a log can write 128 KB of anything, and a function that reads it for a minute reads nothing
else. Here every rule of redaction reads its own words over and over: each alone, each with every piece of its own
expression, with what ends a value and with what a sentence goes on with.
"""

import re
import time
from itertools import cycle
from re import _parser

import pytest

from tocsin.core.absence.expected_lines import _LOG_GROUP
from tocsin.core.ingest.alarms import parse_time
from tocsin.core.matching.fingerprint import normalise as without_variables
from tocsin.core.matching.logline import read_line, stated_level
from tocsin.core.matching.quoting import quoted_as
from tocsin.core.matching.tracebacks import read_traceback
from tocsin.core.redaction.redact import hidden_by, redact
from tocsin.core.redaction.rule import Rule
from tocsin.core.redaction.rules import RULES
from tocsin.core.redaction.sample import normalise, sample_of
from tocsin.core.sanitize import one_line, visible
from tocsin.core.slack.mrkdwn import mrkdwn

KB = 1024
MOST = 20
"""Times the cost that eight times the text may have: in linear time 8, in quadratic time 64."""
SUSPECT = 6
"""The same for four times the text; more is looked at more closely."""
TELLING = 0.0015
"""Seconds of 4 KB below which nothing is suspected: read again at each of its words it costs several times more."""

FLOOR = 0.0005
"""Seconds; a shorter reading is taken for this long."""
HOPELESS = 0.25
"""Seconds for 1 KB, a hundred times what the costliest rule takes; four times as much of it would only waste time."""

SEPARATORS = [
    "", " ", "=", ": ", '="', '": "', "='", "=[", "={(", "=f(", "(", "\\", '\\"', "\\n", "+", "%3D", "%20", "%26", "&a=", "<a ", ">",
    "/", "\n", "\n ", ": |\n ", ": >\\n  ", "=\t", "://a:", "@", "@a.", ".", "-", "_", ",", ";", "', '", "1", "a1B2c3d4", "é", "|",
]  # fmt: skip
PROSE = ["/: the ", "`: not /", ": no,", "=none ", ": none ", ": *** ", "=x "]
LONE = [
    *SEPARATORS[1:], "://@", "http://a:", "%3A%2F%2Fa", "%253a%252f%252f%40", "11-", "+1 ", "2001:", "2001::", "4111 ", "1.", "AA00 ",
    "1 Aa ", "eyJaaa.", "[parameters: ", "Failing row contains (", "password|>", "password={[(", "password=&a", "password='", "ldap ",
    "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "-END ", "first_name=a b ", "cookie: a\\", "postgres://u:p@", "\x1b[",
    "[ERROR] A: b\nTraceback (most recent call last):\n", '  File "a.py", line 1\n', '"', "'", "`", "[", "{", "}", '{"a":', '{"a":1} ', "\u200b",
]  # fmt: skip


def words_in(parsed, words):
    """All runs of letters that an expression asks for."""
    run = ""
    for what, of in [*parsed, (None, None)]:
        if str(what) == "LITERAL":
            run += chr(of)
            continue
        words[run] = None
        run = ""
        for part in of if isinstance(of, tuple | list) else ():
            for inner in part if isinstance(part, list) else [part]:
                if isinstance(inner, _parser.SubPattern):
                    words_in(inner, words)
    words.pop("", None)
    return words


def units_of(rule):
    """Texts to be repeated: each needle at least once, and each piece at least once."""
    needles = list(rule.needles) or ["1", "1.", "11-", "+1 ", "2001:", "2001::", "4111 ", "AA00 ", "1 Aa "]
    pieces = [*SEPARATORS, *words_in(_parser.parse(rule.pattern), {})]
    if "separator" in re.compile(rule.pattern).groupindex:
        pieces += PROSE
    units = dict.fromkeys(needles)
    turns = max(len(needles), len(pieces))
    for turn, needle, piece in zip(range(turns), cycle(needles), cycle(pieces), strict=False):
        units[needle + piece] = None
        if turn % 2:
            units[needle + pieces[(turn * 7 + 3) % len(pieces)] + piece] = None
            units[needle + needles[(turn + 1) % len(needles)] + piece] = None
    return list(units)


def of_size(unit, size):
    return (unit * (size // len(unit) + 1))[:size]


def seconds(read, text):
    began = time.process_time()
    read(text)
    return time.process_time() - began


def grows_too_fast(read, unit):
    """Whether eight times the text costs far more than eight times as much, by the best of a few readings."""
    first = seconds(read, of_size(unit, KB))
    if first > HOPELESS:
        return True
    middle = seconds(read, of_size(unit, 4 * KB))
    if middle < max(TELLING, SUSPECT * min(first, seconds(read, of_size(unit, KB)))):
        return False
    return any(_ratio_is_beyond(read, unit, small) for small in (KB, 4 * KB, 16 * KB))


def _ratio_is_beyond(read, unit, small):
    # A reading that something else disturbed is too long: it takes three such in a row to be believed.
    for _ in range(3):
        base = min(seconds(read, of_size(unit, small)) for _ in range(2))
        if seconds(read, of_size(unit, 8 * small)) < MOST * max(base, FLOOR):
            return False
    return True


def by_rule(rule):
    return lambda text: hidden_by((rule,), text)


@pytest.mark.parametrize(
    "number", range(len(RULES)), ids=[f"{n} {rule.name}" for n, rule in enumerate(RULES)]
)
def test_a_rule_that_reads_its_own_words_over_and_over_takes_linear_time(number):
    read = by_rule(RULES[number])
    assert next((unit for unit in units_of(RULES[number]) if grows_too_fast(read, unit)), None) is None


@pytest.mark.parametrize("shape", [r"ldap\w+(?:[^\n]{0,300}?[\s\"'])-w", r"ldap(?!expir\w*;)"])
def test_the_measure_finds_an_expression_that_takes_quadratic_time(shape):
    rule = Rule("x", "", ("ldap",), shape)
    assert any(grows_too_fast(by_rule(rule), unit) for unit in units_of(rule))


FOUND = [
    "ldap", "mongodump", "tokenizer", "basic+", "basicbasic+",
    "authorization: the ", "cookie=none ", "x-amz-security-token: not \\", "/phone: the ", "home_address`: the /", "first_name: a /",
]  # fmt: skip
"""What once took quadratic time."""


@pytest.mark.parametrize("unit", FOUND)
def test_a_line_that_once_took_the_square_of_its_length_takes_linear_time(unit):
    assert not grows_too_fast(redact, "RuntimeError: " + unit * 60)
    assert not grows_too_fast(redact, unit)


@pytest.mark.parametrize("tail", [" ", "\n", "\t", "\\", "*", "x"])
@pytest.mark.parametrize(
    "unit", ["/phone: a", "password: |\n ", "authorization: a", "password=a,", 'token="\\']
)
def test_the_end_of_a_line_is_not_read_again_for_every_key_before_it(unit, tail):
    assert not grows_too_fast(lambda text: redact(text + tail * len(text)), unit)


READERS = {
    "redact": redact,
    "sample": sample_of,
    "normalise": normalise,
    "visible": visible,
    "one line": one_line,
    "fingerprint": without_variables,
    "line": read_line,
    "traceback": lambda text: (read_traceback(text), read_traceback(text, len(text) // 2)),
    "quoting": lambda text: quoted_as(text, len(text) // 2, len(text) // 2 + 9),
    "level": stated_level,
    "alarm's time": lambda text: parse_time(f"2{text}3"),
    "life signs": lambda text: _LOG_GROUP.findall(text.encode("utf-8", "replace")),
    "Slack": lambda text: mrkdwn(text, 3_000),
}


@pytest.mark.parametrize("name", READERS)
def test_whatever_else_reads_a_line_takes_linear_time(name):
    assert next((unit for unit in LONE if grows_too_fast(READERS[name], unit)), None) is None
