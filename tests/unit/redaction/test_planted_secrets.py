"""Secrets as strangers would plant them stay hidden, and ordinary lines stay readable: both are numbers, and held."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from planted_secrets import Plant, planted, surviving

from tocsin.core.config.settings import parse_settings
from tocsin.core.redaction.redact import redact
from tocsin.core.redaction.sample import normalise
from tools import redaction_page

PLANTS = planted()
ROOT = Path(__file__).parents[3]
CORPUS = ROOT / "tests" / "corpus"
MAX_TOUCHED = 33
"""Of the 1,499 lines of the corpus, 18 for an IP address in them. Fewer is better."""


def left_of(plant: Plant, text: str) -> list[str]:
    return [part for secret in plant.secrets if (part := surviving(normalise(secret), text))]


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.line[:60])
def test_a_planted_secret_is_hidden_unless_it_is_among_the_known_misses(plant):
    hidden = redact(normalise(plant.line))
    assert bool(left_of(plant, hidden)) == bool(plant.missed), hidden


@pytest.mark.parametrize(
    "plant", [plant for plant in PLANTS if not plant.missed], ids=lambda plant: plant.line[:60]
)
def test_it_stays_hidden_in_json_in_a_traceback_and_after_other_text(plant):
    once = json.dumps({"level": "ERROR", "message": plant.line, "n": 1})
    for text in (
        once,
        json.dumps({"log": once}),
        f'Traceback (most recent call last):\r\u00a0\u00a0File "/var/task/app.py", line 3, in f\rValueError: {plant.line}',
        f"[ERROR]\t2026-01-02T03:04:05.678Z\t1f792b59-5027-11e6-88ff-fdf244a4bc7d\t{plant.line}\n",
    ):
        hidden = redact(normalise(text))
        assert not left_of(plant, hidden), hidden


def test_ordinary_lines_stay_as_they_are():
    lines = [
        json.loads(line)["message"]
        for path in sorted(CORPUS.glob("*.jsonl"))
        for line in path.read_text("utf-8").splitlines()
    ]
    touched = [line for line in lines if redact(normalise(line)) != normalise(line)]
    assert len(touched) <= MAX_TOUCHED, touched


@pytest.mark.parametrize(
    "line",
    [
        'asyncpg.exceptions.InvalidPasswordError: password authentication failed for user "app"',
        "Access denied for user 'root'@'172.18.0.8' (using password: YES)",
        "(RequestToken: 332c0e26-bdf4-4cc0-add0-805f2acf50e5 HandlerErrorCode: NotFound)",
        "pam_unix(sshd:auth): authentication failure",
        "INSERT INTO orders (id, state) VALUES (%s, %s) RETURNING id",
        "INSERT INTO orders (id, state) VALUES ($1, now())",
        "exit code 137, status code 502, error code: 1045, verification code is wrong",
        "redis-cli -h cache -p 6379 ping; mysqld: ready for connections, port 3306",
        "the password is required; the token is 3600 seconds old; patient Portal Service started",
        "Dr. Jane's model-us-east-1 run, release sl.123, task r8_1, key-value store, cio-1",
        "commit 9fceb02d0ae598e95dc970b74767f19372d61af8 of 12 Main files, 3 Way merge",
        "Привет мир: соединение потеряно (код 5)",
    ],
)  # fmt: skip
def test_what_looks_like_a_secret_and_is_none_stays_readable(line):
    assert redact(line) == line


def test_every_rule_says_what_it_hides_and_no_two_say_the_same():
    from tocsin.core.redaction.rules import RULES

    said = [rule.what for rule in RULES]
    assert all(said)
    assert len(set(said)) == len(said)
    assert all(re.fullmatch(r"[a-z\-]+", rule.name) for rule in RULES)


def test_the_page_says_what_the_code_does():
    page = ROOT / "docs" / "redaction.md"
    assert redaction_page.page(page.read_text("utf-8")) == page.read_text("utf-8"), "run `make docs`"
    assert "tocsin.toml" in page.read_text("utf-8")


def test_the_rules_of_ones_own_on_the_page_are_right():
    shown = re.search(r"```toml\n(.*?)```", (ROOT / "docs" / "redaction.md").read_text("utf-8"), re.DOTALL)
    assert shown
    assert len(parse_settings(shown[1], {}).redaction) == 2
