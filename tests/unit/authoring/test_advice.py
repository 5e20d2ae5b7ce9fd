"""What `tocsin check` says besides mistakes, and where: file and line, warnings, what overrides what."""

from __future__ import annotations

import pytest

from tocsin.core.problems import Problem
from tocsin_cli.authoring.locations import line_of
from tocsin_cli.main import main

SIGNATURE = """\
[gateway-refused]
title = "The gateway refused an order"
severity = "high"
summary = "{summary}"
first_action = "Look at the status page."
runbook = "gateway-refused.md"
any = ['''gateway refused order''']
matches = ["CRITICAL payment gateway refused order 1"]
ignores = ["INFO gateway fine"]
"""


@pytest.fixture
def check(tmp_path, monkeypatch, capsys):
    def run(settings="", summary="Orders are not paid.", more=""):
        for name in ("signatures", "runbooks"):
            (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / "tocsin.toml").write_text(
            settings if "[pack]" in settings else settings + "\n[pack]\n", "utf-8"
        )
        (tmp_path / "signatures" / "own.toml").write_text(
            SIGNATURE.replace("{summary}", summary) + more, "utf-8"
        )
        (tmp_path / "runbooks" / "gateway-refused.md").write_text("# x\n", "utf-8")
        monkeypatch.chdir(tmp_path)
        status = main(["check"])
        out, err = capsys.readouterr()
        return status, out, err

    return run


TEXT = """\
[services.worker]
log_groups = ["a"]

[override.lambda-timeout]
severity = "x"
scope.services = ["y"]

[[routes]]
match = { service = ["a"] }
[[routes]]
destination = "x"
[[routes.routes]]
match = { owner = ["b"] }
[services."a b"]
alarms = 1
"""


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("services.worker.log_groups", 2), ("services.worker.alarm", 1), ("override.lambda-timeout.severity", 5),
        ("override.lambda-timeout.scope.services", 6), ("routes[0].match.service", 9), ("routes[1].destination", 11),
        ("routes[1].routes[0].match.owner", 13), ("services.a b.alarms", 15), ("nowhere", 0),
    ],
)  # fmt: skip
def test_a_key_is_found_in_its_line(key, line):
    assert line_of(TEXT, Problem("tocsin.toml", key, "")) == line


def test_what_is_no_toml_is_said_with_its_line(check):
    status, out, _ = check("[intervals\n")
    assert status == 1
    assert out.startswith("tocsin.toml:1: -: not TOML")


def test_a_mistake_in_an_own_signature_is_clickable(check):
    status, out, _ = check(more='severety = "high"\n')
    assert status == 1
    assert out.startswith(
        "signatures/own.toml:10: gateway-refused.severety: unknown key (did you mean severity?)"
    )


def test_what_was_never_written_is_refused_unless_it_is_in_test_mode(check):
    status, out, _ = check(summary="To be written: what this means.")
    assert status == 1
    assert out.startswith('signatures/own.toml:4: gateway-refused.summary: still says "To be written"')
    assert check(summary="To be written: what.", more='status = "test"\n')[0] == 0


def test_a_runbook_under_the_packs_address_and_a_guessed_severity_are_warned_of(check):
    status, out, err = check()
    assert (status, out) == (0, "")
    assert "links.runbooks: warning: is the pack's address" in err
    assert "signatures/own.toml:3: gateway-refused.severity: warning: is high" in err
    _, _, err = check('[links]\nrunbooks = "https://runbooks.example.com/"\n')
    assert "pack's address" not in err


def test_a_service_that_is_none_is_warned_of(check):
    settings = '[services.orders]\nlog_groups = ["*"]\n[destinations.x]\nsecret = "a/b"\n[[routes]]\nmatch = { service = ["order"] }\ndestination = "x"\n'
    status, _, err = check(settings, more='scope = { services = ["ordres"] }\n')
    assert status == 0
    assert (
        "tocsin.toml:6: routes[0].match.service: warning: 'order' is no service of tocsin.toml (did you mean orders?)"
        in err
    )
    assert "own.toml:10: gateway-refused.scope.services: warning: 'ordres'" in err


def test_it_says_what_overrides_what(check):
    settings = '[override.lambda-timeout]\nseverity = "low"\nmatches = ["2026-01-01T00:00:00Z 5 Task timed out after 9.00 seconds"]\n[pack]\noff = ["python"]\n'
    status, out, err = check(settings)
    assert status == 0, out
    assert "overridden: lambda-timeout: severity low, the pack says critical; 1 more matches" in err
    assert "overridden: family python: off, " in err


def test_a_table_that_there_is_only_something_below_of_has_the_line_of_that():
    text = "[services.a]\n\n[overide.lambda-timeout]\nseverity = 'low'\n"
    assert line_of(text, Problem("tocsin.toml", "overide", "unknown key")) == 3
    assert line_of(text, Problem("tocsin.toml", "overid", "unknown key")) == 0
