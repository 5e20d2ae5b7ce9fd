"""Rules of redaction of one's own: proved before they run, refused in words, and never slow."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tocsin.core.config.settings import parse_settings
from tocsin.core.matching.captured_fields import field_values
from tocsin.core.model import Match
from tocsin.core.problems import ConfigurationError
from tocsin.core.redaction.redact import redact
from tocsin.core.redaction.sample import sample_of
from tocsin_cli.authoring.check import check

ROOT = Path(__file__).resolve().parents[3]
OWN = r"""
[redaction.keys.badge_number]
hides = ["badge_number=B-1234 was refused", '{"badgeNumber": "B-1234"}']
keeps = ["badge_number=None", "the badge number was refused"]

[redaction.expressions.employee-id]
expression = '\bEMP-\d{6}\b'
hides      = ["employee EMP-123456 not found"]
keeps      = ["EMP-1 is a ticket"]

[redaction.expressions.case-name]
expression = 'case of (?P<hide>[A-Z]\w+)'
hides      = ["the case of Doe"]
keeps      = ["the case of a lost update"]
"""


def problems_of(text):
    with pytest.raises(ConfigurationError) as raised:
        parse_settings(text, {})
    return [str(problem) for problem in raised.value.problems]


def test_own_keys_and_expressions_hide_beside_the_built_in_rules():
    extra = parse_settings(OWN, {}).redaction
    line = "case of Doe: EMP-123456 with Badge-Number: X77 and password=hunter2 in eu-west-1"
    shown = (
        "case of [REDACTED:case-name]: [REDACTED:employee-id] with Badge-Number: [REDACTED:badge-number] "
        "and password=[REDACTED:credential] in eu-west-1"
    )
    assert redact(line, extra) == shown
    assert sample_of(line, extra) == shown
    assert "EMP-123456" in sample_of(line)


def test_what_an_own_rule_hides_is_hidden_in_captured_fields_too():
    extra = parse_settings(OWN, {}).redaction
    match = Match("s", {"who": "Doe", "what": "EMP-123456", "where": "eu-west-1"})
    fields = field_values(match, "case of Doe EMP-123456 in eu-west-1", extra)
    assert fields == {"who": "[REDACTED:case-name]", "what": "[REDACTED:employee-id]", "where": "eu-west-1"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("redaction = 1", "redaction: must be a table, is 1"),
        ("[redaction]\nwords = []", "redaction.words: unknown key; known are strict, keys, expressions"),
        ("[redaction]\nkeys = ['x']", "redaction.keys: must be a table, is ['x']"),
        ("[redaction.keys]\nbadge = 1", "redaction.keys.badge: must be a table, is 1"),
        ("[redaction.keys.'a*b']\nhides = ['x']", "redaction.keys.a*b: must be a key's name"),
        ("[redaction.keys.ab]\nhides = ['ab=1']", "redaction.keys.ab: must be a key's name"),
        ("[redaction.keys.badge]", "redaction.keys.badge.hides: needs at least one sample"),
        ("[redaction.keys.badge]\nhides = ['a badge']", "redaction.keys.badge.hides[0]: is not hidden"),
        ("[redaction.keys.badge]\nhides = ['badge=x1']\nkeeps = ['badge: x2']", "keeps[0]: is hidden, though it must not be"),
        ("[redaction.keys.badge]\nhides = 'badge=x1'", "redaction.keys.badge.hides: must be a list of log lines"),
        ("[redaction.keys.badge]\nhides = ['badge=x1']\nwhy = ''", "redaction.keys.badge.why: unknown key"),
        ("[redaction.expressions.x]\nexpression = '('", "redaction.expressions.x.expression: not an RE2 expression: missing )"),
        ("[redaction.expressions.x]\nexpression = '(?=a)'", "redaction.expressions.x.expression: not an RE2 expression"),
        ("[redaction.expressions.x]\nexpression = 'a*'", "redaction.expressions.x.expression: matches the empty text"),
        ("[redaction.expressions.x]\nexpression = '(((a{30}){30}){30})'", "redaction.expressions.x.expression:"),
        (f"[redaction.expressions.x]\nexpression = '{'a' * 1001}'", "longer than 1000 characters"),
        ("[redaction.expressions.x]\nhides = ['a']", "redaction.expressions.x.expression: must be an RE2 expression"),
        ("[redaction.expressions.email]\nexpression = 'a'\nhides=['a']\nkeeps=['b']", "is the name of a rule that is built in"),
        ("[redaction.expressions.X]\nexpression = 'a'", "redaction.expressions.X: a rule has a kebab-case name"),
        ("[redaction.expressions.x]\nexpression = 'a'\nhides=['a']", "redaction.expressions.x.keeps: needs at least one sample"),
        ("\n".join(f"[redaction.keys.key{n:03}]\nhides = ['key{n:03}=x']" for n in range(51)), "redaction: has 51 rules, more than 50"),
    ],
)  # fmt: skip
def test_a_rule_that_is_wrong_or_does_not_do_what_it_promises_is_refused_with_its_key(text, said):
    assert any(said in problem for problem in problems_of(text)), problems_of(text)
    assert all(problem.startswith("tocsin.toml: redaction") for problem in problems_of(text))


def test_tocsin_check_says_what_a_cold_start_says(tmp_path):
    (tmp_path / "signatures").mkdir()
    for path in (ROOT / "functions" / "signatures").glob("*.toml"):
        (tmp_path / "signatures" / path.name).write_text(path.read_text("utf-8"), "utf-8")
    text = (ROOT / "functions" / "tocsin.toml").read_text("utf-8") + "\n[redaction.keys.badge]\n"
    (tmp_path / "tocsin.toml").write_text(text, "utf-8")
    assert [str(problem) for problem in check(tmp_path, ROOT / "runbooks")] == problems_of(text)


@pytest.mark.parametrize(
    "unit", ["EMP-", "EMP-12345 ", "aaaaaaaa", "badge_number=", 'badge_number="', "é", "case of A ", "x"]
)
def test_own_rules_take_four_times_as_long_for_four_times_the_text(unit):
    text = OWN + (
        "[redaction.expressions.catastrophe]\nexpression = '(a|aa|a?a)+$|(x+x+)+y|x[^y]*y|x'\nhides = ['aa']\nkeeps = ['b']\n"
    )
    extra = parse_settings(text, {}).redaction

    def cost(size):
        line = (unit * size)[:size] + "b"
        begin = time.process_time()
        redact(line, extra)
        return time.process_time() - begin

    small, large = (min(cost(size) for _ in range(2)) for size in (20_000, 80_000))
    assert large <= 9 * small or large < 0.05


def test_a_service_and_a_log_group_can_be_strict():
    settings = parse_settings(
        '[services.clinic]\nlog_groups = ["/app/clinic*"]\nredaction = "strict"\n[services.shop]\nredaction = "default"\n'
        '[redaction]\nstrict = ["*records*"]\n',
        {},
    )
    assert settings.is_strict("clinic")
    assert settings.is_strict("shop", "/app/records-2")
    assert not settings.is_strict("shop", "/app/shop")
    assert not settings.is_strict("anything")
    assert not parse_settings("", {}).is_strict("clinic", "/app/records")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('[services.clinic]\nredaction = "harsh"', "services.clinic.redaction"),
        ("[services.clinic]\nredaction = true", "services.clinic.redaction"),
        ('[redaction]\nstrict = "/app/*"', "redaction.strict"),
        ("[redaction]\nstrict = [1]", "redaction.strict"),
        ('[redaction]\nstrict = [""]', "redaction.strict"),
    ],
)
def test_a_strictness_that_cannot_be_is_refused_in_words(text, key):
    [problem] = problems_of(text)
    assert f": {key}: must be " in problem
