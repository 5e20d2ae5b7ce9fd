"""Every text that an expression matches has one of the literals derived from it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import re2
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tocsin.adapters.files.configuration import load_configuration
from tocsin.core.expressions import re2_options
from tocsin.core.literal import Literal
from tocsin.core.signatures.literals import NoLiteralError, needed_by, required_literals

SIGNATURES = load_configuration(Path(__file__).parents[3] / "functions", {}).signatures
EXPRESSIONS = [expression for entry in SIGNATURES.values() for expression in entry.any]


def holds(expression: str, text: str) -> bool:
    found = any(re2.search(literal.expression, text) for literal in required_literals(expression))
    return found and set(needed_by(expression).characters) <= set(text)


@pytest.mark.parametrize("expression", EXPRESSIONS, ids=range(len(EXPRESSIONS)))
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_whatever_an_expression_of_the_pack_matches_has_one_of_its_literals(expression, data):
    text = data.draw(st.from_regex(re.compile(expression, re.ASCII)))
    assume(re2.search(expression, text, re2_options()))
    assert holds(expression, text)


def expressions() -> st.SearchStrategy[str]:
    atom = st.sampled_from(
        [
            "alpha",
            "Beta ",
            r"\w+",
            r"\s",
            "gamma delta",
            "[Tt]imed",
            ".",
            r"\.",
            "x",
            r"[^\n]{0,9}",
            "(?P<n>zeta)",
            "'",
            r"\b",
        ]
    )
    return st.recursive(
        atom,
        lambda inner: st.one_of(
            st.lists(inner, min_size=2, max_size=4).map("".join),
            st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"(?:{'|'.join(parts)})"),
            st.tuples(inner, st.sampled_from(["?", "*", "+", "{2}", "{0,2}", "{1,3}?"])).map(
                lambda pair: f"(?:{pair[0]}){pair[1]}"
            ),
            inner.map(lambda part: f"(?i:{part})"),
        ),
        max_leaves=8,
    )


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(expression=expressions(), data=st.data())
def test_whatever_any_expression_matches_has_one_of_its_literals(expression, data):
    assume(expression.count("(?P<n>") < 2)
    try:
        required_literals(expression)
    except NoLiteralError:
        assume(False)  # noqa: FBT003 -- hypothesis' own way to say that this example does not count
    text = data.draw(st.from_regex(expression))
    assume(re2.search(expression, text, re2_options()))
    assert holds(expression, text)


def test_the_most_telling_phrase_is_chosen():
    (literal,) = required_literals(r"Task timed out after (?P<seconds>[\d.]+) seconds")
    assert literal == Literal(("timed", "out", "after")) or literal == Literal(("Task", "timed", "out"))


@pytest.mark.parametrize(
    ("expression", "characters"),
    [
        ("Deadlock: (?:found|lost)", " :Dacdkelo"),
        ("(?i:deadlock) Found", " Fdnou"),
        (r"(?i)dead(?-i:LOCK)\n", "\nCKLO"),
        (r"engine (?:lost|gone)? its\s+part{0,3} [xyz]{2}\(", " (aeginprst"),
        ("\u00e9ngine lost", " egilnost"),
        ("engine (?:lo|go)st", " eginost"),
    ],
)
def test_the_characters_are_those_of_every_text(expression, characters):
    assert set(needed_by(expression).characters) == set(characters)


def test_a_phrase_never_spans_a_line_break():
    assert required_literals("Requested\nmapper") in {(Literal(("Requested",)),), (Literal(("mapper",)),)}


def test_each_branch_has_its_literal():
    found = required_literals(r"\((?:ThrottlingException|SlowDown)\)")
    assert {literal.text for literal in found} == {"ThrottlingException", "SlowDown"}


def test_case_is_kept_apart():
    (literal,) = required_literals("(?i:deadlock) found")
    assert literal.any_case
    assert re2.search(literal.expression, "DeadLock FOUND")


@pytest.mark.parametrize("expression", [r"\w+ \d+", "a|b", "(?:error)?", r"(?:timeout|.*)", r"[A-Za-z]{10}"])
def test_an_expression_without_a_literal_is_refused_with_the_reason(expression):
    with pytest.raises(NoLiteralError, match="no literal"):
        required_literals(expression)


def test_syntax_that_only_one_of_the_two_engines_has_is_refused():
    with pytest.raises(NoLiteralError, match="RE2 and Python share"):
        required_literals(r"Deadlock \pL+ found")


def test_a_phrase_is_found_in_json_however_often_it_was_encoded():
    (literal,) = required_literals('database "None" does not exist')
    for text in (
        'database "None" does not exist',
        r"database \"None\" does not exist",
        r"database \\\"None\\\" does\\u00a0not exist",
    ):
        assert re2.search(literal.expression, text)
