"""Templates: what varies is masked, the same in any process, in linear time."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from tocsin.core.matching.error_masking import (
    MAX_TEMPLATE,
    MAX_TEXT,
    RULES,
    _masked,
    error_template,
    template_of,
)
from tocsin_cli.commands.fingerprint import template_fingerprint
from tocsin_cli.main import main


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_each_rule_alone_masks_its_example_as_it_says(rule):
    assert re2.compile(rule.expression).sub(_masked, rule.line) == rule.masked


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("order 17 of user jo refused", "order 4711 of user ann-marie refused"),
        ("POST /orders 500 in 17 ms", "POST /orders/9/lines 503 in 2 s"),
        ("cannot open /var/a.csv: denied", "cannot open /srv/x/y.json: denied"),
        ('no table "orders"', 'no table "order lines"'),
        ("connect to 10.0.0.1:5432 refused", "connect to db.prod.example.com:5432 refused"),
        ("task 5c:50:15:aa:bc:ed failed at 2026-01-02T03:04:05Z", "task 7 failed at 2025-12-31 23:59:59,999"),
        ("refused user=root ok=true", "refused user= ok=false"),
    ],
)
def test_what_differs_only_in_its_values_has_one_template(one, other):
    assert template_of(one) == template_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("payment provider refused", "payment provider answered"),
        ("java.lang.IllegalStateException: closed", "java.lang.IllegalArgumentException: closed"),
        ("GET /orders failed", "DELETE /orders failed"),
        ("main.py is broken", "other.py is broken"),
    ],
)
def test_what_says_another_thing_has_another_template(one, other):
    assert template_of(one) != template_of(other)


@given(st.text(max_size=300))
def test_any_text_has_a_bounded_template_on_one_line(text):
    template = template_of(text)
    assert len(template) <= MAX_TEMPLATE
    assert "\n" not in template
    assert template_of(text) == template


def test_a_process_of_its_own_comes_to_the_same_fingerprint():
    line = "cache node-7 answered nothing for 17 s"
    code = (
        "from tocsin.core.matching.error_masking import template_of;"
        "from tocsin_cli.commands.fingerprint import template_fingerprint;"
        f"print(template_fingerprint(template_of({line!r})))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "7"}
    )
    assert answer.stdout.strip() == template_fingerprint(template_of(line))


@pytest.mark.parametrize("unit", ["a.", "1:", "/a", '"', "=", "(", "<*> ", "GET /", "[REDACTED:", "x@a."])
def test_no_more_of_a_line_is_read_than_is_bounded(unit):
    line = unit * MAX_TEXT
    assert template_of(line + "and more 17") == template_of(line[:MAX_TEXT])


def test_a_secret_is_hidden_before_the_template_is_made():
    template = error_template("ERROR login failed, password=hunter2secret for jo@mail.example.com")
    assert "hunter2secret" not in template
    assert "jo@" not in template


def test_the_line_at_error_counts_and_the_exception_that_follows_it():
    message = "INFO begins\nERROR app: cannot pay order 17\n  at here (a.js:1)\nPaymentError: refused 4"
    assert error_template(message) == "ERROR app: cannot pay order <*> PaymentError: refused <*>"


def test_a_structured_line_is_known_by_its_message_alone():
    lines = [
        json.dumps({"level": "error", "message": "cannot pay order 17", "customer": name})
        for name in ("a", "b")
    ]
    assert {error_template(line) for line in lines} == {"cannot pay order <*>"}


def test_the_command_answers_each_line_in_order(tmp_path, capsys):
    source = tmp_path / "lines.jsonl"
    source.write_text('{"message": "ERROR order 17 lost"}\nnot json\n{"message": "ERROR order 18 lost"}\n')
    assert main(["fingerprint", "--jsonl", str(source)]) == 1
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [answer["index"] for answer in answers] == [0, 1, 2]
    assert answers[0]["fingerprint"] == answers[2]["fingerprint"]
    assert answers[0]["template"] == "ERROR order <*> lost"
    assert answers[1]["error"].startswith("not JSON")
