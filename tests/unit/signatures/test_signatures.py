"""Signatures are data that is checked as it is read: one test per mistake."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import jsonschema
import pytest

from tocsin.adapters.files import compiled_search, configuration
from tocsin.adapters.files.compiled_search import COMPILED, COMPILED_SEARCH, code_files, stale_files
from tocsin.adapters.files.configuration import (
    compiled_form,
    load_configuration,
    make_compiled_form,
    packaged_configuration,
)
from tocsin.core.matching.unknown_error import ErrorFinder
from tocsin.core.model import Level
from tocsin.core.problems import ConfigurationError
from tocsin.core.signatures.reader import KEYS, parse_signatures
from tocsin.core.signatures.signature import Source
from tocsin_cli.authoring.json_schema import signature_schema

ROOT = Path(__file__).parents[3]
GOOD = """
[engine-broken]
title        = "The engine is broken"
severity     = "high"
summary      = "{service} has lost {part}."
first_action = "Look at `dmesg`."
runbook      = "engine-broken.md"
any          = ['''engine lost its (?P<part>\\w+)''']
group_by     = ["part"]
matches      = ["ERROR engine lost its piston"]
ignores      = ["INFO engine runs"]
"""
TABLE = tomllib.loads(GOOD)["engine-broken"]


def problems_of(text: str) -> list[str]:
    return [str(problem) for problem in parse_signatures({"signatures/x.toml": text})[1]]


def with_line(line: str) -> str:
    key = line.partition("=")[0].strip()
    kept = [row for row in GOOD.splitlines() if row.partition("=")[0].strip() != key]
    return "\n".join([*kept, line])


def test_a_good_signature_is_read():
    signatures, problems = parse_signatures({"signatures/x.toml": GOOD})
    assert problems == []
    entry = signatures["engine-broken"]
    assert entry.group_by == ("part",)
    assert entry.min_level is Level.WARNING
    assert entry.source is Source.LOG


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('severity = "bad"', "engine-broken.severity: must be one of critical, high, medium, low, is 'bad'"),
        ('status = "draft"', "engine-broken.status: must be one of stable, test"),
        ("title = 5", "engine-broken.title: must be text"),
        (f'title = "{"x" * 121}"', "engine-broken.title: must be text of 1 to 120 characters"),
        ("any = []", "engine-broken.any: needs at least one expression"),
        ('any = "engine"', "engine-broken.any: must be a list of strings"),
        ("any = ['(']", "engine-broken.any[0]: not an RE2 expression"),
        ("any = ['(?=x)lookahead']", "engine-broken.any[0]: not an RE2 expression"),
        ("any = ['(a)\\1']", "engine-broken.any[0]: not an RE2 expression"),
        ("any = ['(?:piston)?']", "engine-broken.any[0]: matches the empty line"),
        (f"any = ['{'x' * 1001}']", "engine-broken.any[0]: longer than 1000 characters"),
        (f"any = ['piston{'.{0,900}' * 14}']", "engine-broken.any[0]: costs"),
        ("not = ['[']", "engine-broken.not[0]: not an RE2 expression"),
        ('group_by = ["colour"]', "engine-broken.group_by: no expression captures 'colour'"),
        ('summary = "lost {colour}"', "engine-broken.summary: names {colour}, which no expression captures"),
        ("matches = []", "engine-broken.matches: needs at least one sample"),
        ("ignores = []", "engine-broken.ignores: needs at least one sample"),
        ("ignores = [5]", "engine-broken.ignores: must be a list of log lines"),
        ('runbook = "../secrets.md"', "engine-broken.runbook: must be the name of a Markdown file"),
        ('colour = "red"', "engine-broken.colour: unknown key; known are"),
        ('min_level = "loud"', "engine-broken.min_level: must be one of trace"),
        ('resolve_after = "soon"', "engine-broken.resolve_after: 'soon' is not a duration"),
        (
            'threshold = { count = 0, within = "5m" }',
            "engine-broken.threshold.count: must be a whole number from 1",
        ),
        ('threshold = { count = 3, within = "x" }', "engine-broken.threshold.within: 'x' is not a duration"),
        ("threshold = { often = 3 }", "engine-broken.threshold.often: unknown key"),
        ("scope = { services = 5 }", "engine-broken.scope.services: must be a list of globs"),
        ("scope = { teams = [] }", "engine-broken.scope.teams: unknown key"),
        ('inhibits = ["nobody"]', "engine-broken.inhibits: there is no signature 'nobody'"),
        ('inhibits = ["engine-broken"]', "engine-broken.inhibits: leads back to itself"),
        ('catch_all = "yes"', "engine-broken.catch_all: must be true or false"),
        ('source = "alarm"', 'engine-broken.alarm: source = "alarm" and a table alarm'),
        ('alarm = { metric = ["x"] }', 'engine-broken.alarm: source = "alarm" and a table alarm'),
    ],
)
def test_a_mistake_is_named_with_file_key_and_reason(line, said):
    found = problems_of(with_line(line))
    assert any(problem.startswith(f"signatures/x.toml: {said}") for problem in found), found


@pytest.mark.parametrize("key", [name for name, key in KEYS.items() if key.required])
def test_a_missing_key_is_named(key):
    text = "\n".join(row for row in GOOD.splitlines() if not row.startswith(key))
    assert any(f"engine-broken.{key}: is missing" in problem for problem in problems_of(text))


def test_ids_are_kebab_case_and_unique_over_all_files():
    assert "an id is lower-case words" in problems_of(GOOD.replace("engine-broken]", "Engine_Broken]"))[0]
    _, problems = parse_signatures({"signatures/a.toml": GOOD, "signatures/b.toml": GOOD})
    assert [str(problem) for problem in problems] == [
        "signatures/b.toml: engine-broken: is also in signatures/a.toml; ids are unique"
    ]


def test_a_file_that_is_not_toml_is_named_and_the_others_are_still_read():
    signatures, problems = parse_signatures({"signatures/a.toml": "[", "signatures/b.toml": GOOD})
    assert list(signatures) == ["engine-broken"]
    assert str(problems[0]).startswith("signatures/a.toml: -: not TOML")


def test_signatures_that_explain_each_other_away_are_refused():
    pair = (
        GOOD
        + 'inhibits = ["other"]\n'
        + GOOD.replace("engine-broken]", "other]").replace("The engine", "Other")
        + 'inhibits = ["engine-broken"]\n'
    )
    assert sum("leads back to itself" in problem for problem in problems_of(pair)) == 2


def write(root: Path, text: str = GOOD) -> Path:
    (root / "signatures").mkdir()
    (root / "signatures" / "x.toml").write_text(text, "utf-8")
    (root / "tocsin.toml").write_text("", "utf-8")
    return root


def test_an_expression_without_a_literal_does_not_load(tmp_path):
    with pytest.raises(ConfigurationError, match=r"signatures/x.toml: engine-broken.any\[0\]: no literal"):
        load_configuration(write(tmp_path, with_line(r"any = ['\w+ (?P<part>\d+)']")), {})


def test_all_problems_of_all_files_are_said_at_once(tmp_path):
    write(tmp_path, with_line('severity = "bad"'))
    (tmp_path / "tocsin.toml").write_text('[intervals]\ngroup_wait = "soon"\n', "utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(tmp_path, {})
    assert [problem.file for problem in caught.value.problems] == ["signatures/x.toml", "tocsin.toml"]


def test_missing_files_are_named(tmp_path):
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(tmp_path, {})
    assert {problem.file for problem in caught.value.problems} == {"signatures", "tocsin.toml"}


def test_with_a_compiled_form_nothing_is_tried_again_and_the_same_is_read(tmp_path, monkeypatch):
    before = load_configuration(write(tmp_path), {})
    assert make_compiled_form(tmp_path)
    assert not make_compiled_form(tmp_path), "a form that fits is not written again"
    monkeypatch.setattr(configuration, "needed_by", None)
    after = packaged_configuration(tmp_path, {})
    assert load_configuration(tmp_path, {}) == after
    assert after.signatures["engine-broken"].needed
    for name, entry in before.signatures.items():
        for field in type(entry).__struct_fields__:
            if field != "needed":
                assert getattr(after.signatures[name], field) == getattr(entry, field)


@pytest.mark.parametrize(
    "change", ["text", "another file", "form broken", "form of nothing", "form away", "settings"]
)
def test_after_any_change_a_function_does_not_start_and_a_command_tries_everything_again(tmp_path, change):
    write(tmp_path)
    make_compiled_form(tmp_path)
    packaged_configuration(tmp_path, {})
    bad = with_line('severity = "bad"')
    match change:
        case "text":
            (tmp_path / "signatures" / "x.toml").write_text(bad, "utf-8")
        case "another file":
            (tmp_path / "signatures" / "y.toml").write_text(bad.replace("engine-broken]", "other]"), "utf-8")
        case "settings":
            (tmp_path / "tocsin.toml").write_text('[override.engine-broken]\nseverity = "bad"\n', "utf-8")
        case "form away":
            (tmp_path / COMPILED).unlink()
        case _:
            (tmp_path / COMPILED).write_text("{" if change == "form broken" else "[]", "utf-8")
    with pytest.raises(ConfigurationError) as caught:
        packaged_configuration(tmp_path, {})
    assert str(caught.value).startswith(
        f"{COMPILED}: -: missing, or made for other signatures or another tocsin.toml"
    )
    assert "run sam build" in str(caught.value)
    if change.startswith("form"):
        assert load_configuration(tmp_path, {}).signatures
        return
    with pytest.raises(ConfigurationError, match="severity"):
        load_configuration(tmp_path, {})


ENVIRONMENTS = [
    {"TOCSIN_GROUP_WAIT": "1m", "TOCSIN_RESOLVE_AFTER": "2h", "TOCSIN_RUNBOOKS_URL": "https://example.com/"},
    {"TOCSIN_ERRORS_LEARNING": "0s"}, {"TOCSIN_ERRORS_LEARNING": "3d"}, {"TOCSIN_REPLIES_IN_CHANNEL": "always"},
]  # fmt: skip


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_what_a_deployment_lays_over_the_settings_makes_no_form_stale_and_changes_nothing_in_it(
    tmp_path, environment, monkeypatch
):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    form = compiled_form(write(tmp_path))
    make_compiled_form(tmp_path)
    assert {name: (tmp_path / name).read_bytes() for name in form} == form
    plain, laid_over = packaged_configuration(tmp_path, {}), packaged_configuration(tmp_path, environment)
    assert plain.signatures == laid_over.signatures
    assert plain.settings != laid_over.settings
    searches = {
        ErrorFinder(each.signatures, each.settings.errors).raw_expression for each in (plain, laid_over)
    }
    assert len(searches) == 1, "the search in the form would miss what this deployment looks for"


def test_settings_that_only_a_deployments_environment_makes_right_are_refused_when_they_are_compiled(
    tmp_path,
):
    write(tmp_path)
    (tmp_path / "tocsin.toml").write_text('[intervals]\ngroup_wait = "soon"\n', "utf-8")
    assert load_configuration(tmp_path, {"TOCSIN_GROUP_WAIT": "1m"}).signatures
    with pytest.raises(ConfigurationError, match=r"tocsin\.toml: intervals\.group_wait: "):
        compiled_form(tmp_path)
    assert stale_files(tmp_path) == [COMPILED, COMPILED_SEARCH]


def test_an_environment_that_makes_settings_wrong_is_refused_in_the_words_of_the_check(tmp_path):
    make_compiled_form(write(tmp_path))
    with pytest.raises(ConfigurationError, match=r"^TOCSIN_GROUP_WAIT: intervals\.group_wait: "):
        packaged_configuration(tmp_path, {"TOCSIN_GROUP_WAIT": "soon"})


def test_a_change_in_any_module_that_makes_the_form_makes_it_stale(tmp_path, monkeypatch):
    code = tmp_path / "code"
    shutil.copytree(
        ROOT / "functions" / "tocsin", code / "tocsin", ignore=shutil.ignore_patterns("__pycache__")
    )
    root = write(tmp_path)
    make_compiled_form(root)
    monkeypatch.setattr(compiled_search, "_CODE", code)
    files = code_files()
    assert len(files) > 40
    assert stale_files(root) == []
    for name in files:
        before = (code / name).read_bytes()
        (code / name).write_bytes(before + b"# changed\n")
        assert stale_files(root) == [COMPILED, COMPILED_SEARCH], name
        (code / name).write_bytes(before)
    for other in {path.relative_to(code).as_posix() for path in code.rglob("*.py")} - {*files}:
        (code / other).write_bytes(b"changed = True\n")
    assert stale_files(root) == []


def test_every_module_that_making_the_form_really_imports_is_one_that_it_depends_on(tmp_path):
    making = (
        "import sys; from pathlib import Path; from tocsin.adapters.files.configuration import compiled_form; "
        f"compiled_form(Path({str(write(tmp_path))!r})); "
        "print('\\n'.join(module.__file__ for name, module in sys.modules.items() if name.startswith('tocsin.')))"
    )
    done = subprocess.run([sys.executable, "-c", making], capture_output=True, text=True, check=True)
    found = {Path(line).relative_to(ROOT / "functions").as_posix() for line in done.stdout.split()}
    really = {name for name in found if not name.endswith("__init__.py")}
    assert len(really) > 30
    assert really <= {*code_files()}
    empty = {
        name
        for name in found - really
        if len((ROOT / "functions" / name).read_text("utf-8").splitlines()) > 3
    }
    assert not empty, "a package's __init__ with code in it is a module that the form depends on"


def test_the_compiled_form_of_the_pack_fits():
    assert not stale_files(ROOT / "functions"), "run `tocsin check` and commit signatures/*.json"


def test_the_schema_for_editors_is_current_and_accepts_the_pack():
    schema = signature_schema()
    assert json.loads((ROOT / "docs" / "signature.schema.json").read_text("utf-8")) == schema, (
        "tocsin check --schema > docs/signature.schema.json"
    )
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for path in (ROOT / "functions" / "signatures").glob("*.toml"):
        validator.validate(tomllib.loads(path.read_text("utf-8")))


@pytest.mark.parametrize(
    "change", [{"severity": "bad"}, {"colour": "red"}, {"matches": []}, {"source": "alarm"}, {"title": ""}]
)
def test_the_schema_refuses_what_reading_refuses(change):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"engine-broken": {**TABLE, **change}}, signature_schema())


IDS = [
    "import-module-error",
    "module-not-found",
    "cannot-import-name",
    "handler-not-found",
    "user-code-syntax-error",
    "lambda-init-error",
    "lambda-timeout",
    "lambda-out-of-memory",
    "lambda-runtime-exit",
    "wrong-platform-binary",
    "botocore-six-import",
    "s3-bucket-not-accessible",
    "s3-access-denied",
    "database-none",
    "database-does-not-exist",
    "database-auth-failed",
    "database-connection-refused",
    "database-connections-exhausted",
    "sqlalchemy-mapper-unresolved",
    "secret-not-found",
    "secret-marked-for-deletion",
    "secret-access-denied",
    "kms-access-denied",
    "aws-throttled",
    "sqs-queue-missing",
    "event-loop-error",
    "mock-processing",
    "unhandled-exception",
    "dlq-depth",
]


def test_the_pack_has_every_promised_signature_ready_for_three_in_the_morning():
    signatures = load_configuration(ROOT / "functions", {}).signatures
    assert set(IDS) <= set(signatures)
    for entry in signatures.values():
        assert (ROOT / "runbooks" / entry.runbook).is_file()  # some share one
        assert "`" in entry.first_action, entry.id
        assert len(entry.matches) + len(entry.ignores) >= 2
