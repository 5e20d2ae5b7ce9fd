"""`tocsin new` makes a signature that passes every check as generated, or writes nothing at all."""

from __future__ import annotations

import io
import json
import re
import shutil
import sys
import tomllib
from pathlib import Path

import pytest
import test_runbooks as rules_for_runbooks
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tocsin.adapters.files.configuration import load_configuration
from tocsin.core.matching.matcher import Matcher
from tocsin.core.model import Severity
from tocsin.core.signatures.signature import Status
from tocsin_cli.authoring.check import check
from tocsin_cli.authoring.scaffold import Scaffold, ScaffoldError, scaffold, toml, toml_expression
from tocsin_cli.commands import new
from tocsin_cli.main import main

ROOT = Path(__file__).parents[3]
GATEWAY = (
    "[ERROR]\t2026-02-02T00:03:11.201Z\t8163e405-2b8b-0f89-59cd-140ed406987f\tPayment gateway 'stripe-eu' refused charge "
    "ch_3NirD82eZvKYlo2C after 3 attempts for jane@example.com password=hunter2"
)

KNOWN = (
    "botocore.exceptions.ClientError: An error occurred (AccessDenied) when calling the PutObject operation:"
)


@pytest.fixture
def project(tmp_path):
    shutil.copytree(ROOT / "functions" / "signatures", tmp_path / "functions" / "signatures")
    shutil.copy(ROOT / "functions" / "tocsin.toml", tmp_path / "functions")
    shutil.copytree(ROOT / "runbooks", tmp_path / "runbooks")
    return tmp_path


def run(project, *arguments):
    return main(["new", *arguments, "--root", str(project / "functions")])


def state(project):
    return {path: path.read_bytes() for path in sorted(project.rglob("*")) if path.is_file()}


@pytest.mark.parametrize(
    "line",
    [
        GATEWAY,
        "LedgerDriftError: balance of account 4711 differs by -12.50",
        'Traceback (most recent call last):\n  File "/var/task/app.py", line 3, in f\n    g()\nmylib.QuotaExceeded: quota of acme used up',
        '{"level":"ERROR","message":"webhook delivery to https://partner.example/x?a=1 gave up","attempt":5}',
        "INFO scheduler: nothing to do for tenant acme for 45 days",
        "vacuum: it's \"dead\" in C:\\data\\x and ends in a quote'",
        "ERROR reindex of shard 7 (of 12) failed: disk /mnt/data1 100% full [retry=no] {code: E77}",
        f"{KNOWN} quarantine is locked",
    ],
)
def test_what_is_made_passes_tocsin_check_as_it_is(project, line, capsys):
    assert run(project, "freshly-made", "--from-line", line) == 0
    assert check(project / "functions", project / "runbooks") == ()
    made = load_configuration(project / "functions", {}).signatures["freshly-made"]
    assert made.status == "test"
    assert "Next:" in capsys.readouterr().out


def test_what_varies_becomes_fields_and_the_next_line_of_its_kind_is_recognised(project):
    run(project, "gateway-refused", "--from-line", GATEWAY, "--severity", "critical")
    signatures = load_configuration(project / "functions", {}).signatures
    another = (
        "[ERROR]\t2027-11-12T10:00:00.001Z\t00000000-2b8b-0f89-59cd-140ed406987f\tPayment gateway 'adyen' refused charge "
        "ch_9Zq1D82eZvKYlo2C after 12 attempts for bob@example.org password=correcthorse"
    )
    (match,) = Matcher(signatures).match(another)
    assert (match.signature, match.fields["gateway"], match.fields["number"]) == (
        "gateway-refused",
        "adyen",
        "12",
    )
    assert signatures["gateway-refused"].severity is Severity.CRITICAL


def test_nothing_private_is_written(project):
    run(project, "gateway-refused", "--from-line", GATEWAY)
    for content in state(project).values():
        assert b"hunter2" not in content
        assert b"jane@example.com" not in content


def test_the_runbook_keeps_the_rules_of_runbooks_and_is_in_the_index(project):
    run(project, "gateway-refused", "--from-line", GATEWAY)
    run(project, "ledger-drift", "--from-line", "LedgerDriftError: balance of account 4711 differs by -12.50")
    for name in ("gateway-refused", "ledger-drift"):
        page = project / "runbooks" / f"{name}.md"
        rules_for_runbooks.test_a_runbook_has_a_title_a_summary_and_the_headings_in_order(page)
        for heading in rules_for_runbooks.REQUIRED_HEADINGS:
            rules_for_runbooks.test_no_section_is_empty(page, heading)
        for heading in ("Confirm", "Fix"):
            rules_for_runbooks.test_confirm_and_fix_hold_commands(page, heading)
        for rule in (
            rules_for_runbooks.test_shell_blocks_parse,
            rules_for_runbooks.test_commands_and_their_options_are_real,
            rules_for_runbooks.test_commands_in_running_text_are_real_too,
            rules_for_runbooks.test_every_block_says_its_language,
            rules_for_runbooks.test_links_lead_somewhere,
            rules_for_runbooks.test_variables_are_set_on_the_page_that_uses_them,
            rules_for_runbooks.test_placeholders_are_quoted_so_that_a_forgotten_one_redirects_nothing,
        ):
            rule(page)
        assert f"[{name}]({name}.md)" in (project / "runbooks" / "README.md").read_text()
    rules_for_runbooks.test_links_lead_somewhere(project / "runbooks" / "README.md")


@pytest.mark.parametrize("name", ["Bad_Id", "a--b", "", "ünicode", "../escape", "a b"])
def test_a_bad_id_is_refused_and_nothing_is_written(project, name, capsys):
    before = state(project)
    assert run(project, name, "--from-line", GATEWAY) == 1
    assert "is no id" in capsys.readouterr().err
    assert state(project) == before


@pytest.mark.parametrize("family", ["../../etc", "a/b", "Family", ".hidden"])
def test_a_family_outside_the_folder_is_refused(project, family, capsys):
    before = state(project)
    assert run(project, "fresh", "--from-line", GATEWAY, "--family", family) == 1
    assert "is no family" in capsys.readouterr().err
    assert state(project) == before


def test_a_taken_id_is_refused_in_any_family(project, capsys):
    before = state(project)
    assert run(project, "database-none", "--from-line", GATEWAY, "--family", "other") == 1
    assert (
        "there is a signature database-none already, in signatures/database.toml" in capsys.readouterr().err
    )
    assert state(project) == before


def test_a_runbook_that_somebody_wrote_is_never_overwritten(project, capsys):
    (project / "runbooks" / "fresh.md").write_text("mine")
    before = state(project)
    assert run(project, "fresh", "--from-line", GATEWAY) == 1
    assert "there is a runbook" in capsys.readouterr().err
    assert state(project) == before


@pytest.mark.parametrize("line", ["", "   ", "42", "...", "a b c", "\x00\x01"])
def test_a_line_that_tells_nothing_is_refused(project, line, capsys):
    before = state(project)
    assert run(project, "fresh", "--from-line", line) == 1
    assert capsys.readouterr().err.startswith("tocsin new: ")
    assert state(project) == before


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_a_disk_that_fails_half_way_leaves_everything_as_it_was(project, monkeypatch, capsys, failing):
    before = state(project)
    original, calls = Path.replace, []

    def replace(path, target):
        calls.append(path)
        if len(calls) == failing + 1:
            raise OSError("disk full")
        return original(path, target)

    monkeypatch.setattr(Path, "replace", replace)
    assert run(project, "fresh", "--from-line", GATEWAY) == 1
    assert "nothing was written: disk full" in capsys.readouterr().err
    assert state(project) == before


def test_a_dry_run_shows_and_writes_nothing(project, capsys):
    before = state(project)
    assert run(project, "fresh", "--from-line", GATEWAY, "--dry-run") == 0
    out = capsys.readouterr().out
    assert "[fresh]" in out
    assert "## Prevent" in out
    assert state(project) == before


def test_what_is_recognised_already_is_explained_by_the_new_one(project, capsys):
    line = f"{KNOWN} quarantine is locked"
    assert run(project, "our-bucket", "--from-line", line) == 0
    assert "s3-access-denied recognised the line too" in capsys.readouterr().out
    signatures = load_configuration(project / "functions", {}).signatures
    # In test mode it takes nothing away from what people are told; promoted, it speaks alone.
    assert [match.signature for match in Matcher(signatures).match(line)] == [
        "s3-access-denied",
        "our-bucket",
    ]
    promoted = signatures | {"our-bucket": replace(signatures["our-bucket"], status=Status.STABLE)}
    assert [match.signature for match in Matcher(promoted).match(line)] == ["our-bucket"]


def test_what_a_signature_describes_in_full_needs_no_other(project, capsys):
    before = state(project)
    line = "RuntimeError: S3 bucket 'credmate-documents-dev' is not accessible (error: 404)"
    assert run(project, "our-bucket", "--from-line", line) == 1
    assert "s3-bucket-not-accessible describes this line already" in capsys.readouterr().err
    assert state(project) == before


def test_a_pasted_traceback_comes_through_standard_input(project, monkeypatch):
    text = 'Traceback (most recent call last):\n  File "/var/task/app.py", line 3, in f\nmylib.QuotaExceeded: used up \udc80'
    stream = io.TextIOWrapper(io.BytesIO(text.encode("utf-8", "surrogateescape")), "utf-8")
    monkeypatch.setattr(sys, "stdin", stream)
    assert run(project, "quota-used-up", "--from-line", "-") == 0
    assert "QuotaExceeded" in load_configuration(project / "functions", {}).signatures["quota-used-up"].any[0]


def test_the_file_it_is_added_to_keeps_every_byte(project):
    path = project / "functions" / "signatures" / "database.toml"
    before = path.read_text()
    assert run(project, "fresh", "--from-line", GATEWAY, "--family", "database.toml") == 0
    assert path.read_text().startswith(before)


@settings(max_examples=150, deadline=None)
@given(
    st.text(max_size=300) | st.text(st.sampled_from("ab 'Z\"\\{}[]()|.*+?^$\n\t09:/-_`é\u00a0"), max_size=120)
)
def test_any_text_makes_a_table_that_can_be_read_back_or_is_refused(line):
    try:
        made = scaffold("fresh", line, severity=Severity.LOW, title="Fresh")
    except ScaffoldError:
        return
    assert isinstance(made, Scaffold)
    table = tomllib.loads(made.table)["fresh"]
    assert table["any"] == [made.expression]
    assert set(re.compile(made.expression).groupindex) == set(made.fields)


@settings(max_examples=200)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=80))
def test_any_text_is_the_same_after_toml(text):
    assert tomllib.loads(f"a = {toml(text)}")["a"] == text
    assert tomllib.loads(f"a = {toml_expression(text)}")["a"] == text


def test_nothing_is_planned_that_the_checks_refuse(project):
    texts = {path.name for path in (project / "runbooks").glob("*.md")}
    made, files = new.plan("fresh", GATEWAY, project / "functions", project / "runbooks")
    assert [path.name for path in files] == ["fresh.md", "own.toml", "README.md"]
    assert json.dumps(made.fields)
    assert "fresh.md" not in texts
