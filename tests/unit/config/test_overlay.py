"""Overrides: one's own configuration changes the pack without copying it, and every mistake is said of one's own file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tocsin.core.matching.unknown_error import ErrorFinder, with_unknown_error
from tocsin.core.model import Severity
from tocsin.core.problems import ConfigurationError
from tocsin.core.signatures.signature import Status
from tocsin_cli.authoring.check import check
from tocsin_cli.configuration_folder import project_of, read_configuration, stage

ROOT = Path(__file__).parents[3]
OWN_SIGNATURE = """
[gateway-refused]
title = "The gateway refused an order"
severity = "high"
summary = "Orders of {service} are not paid."
first_action = "Look at the gateway's status page."
runbook = "gateway-refused.md"
any = ['''gateway refused order''']
matches = ["ERROR payment gateway refused order 1"]
ignores = ["INFO gateway fine"]
"""


@pytest.fixture
def own(tmp_path):
    """A configuration folder of one's own; call it with the content of tocsin.toml."""

    def write(text: str, signature: str = OWN_SIGNATURE) -> Path:
        over = any(table in text for table in ("pack", "override", "deploy"))
        (tmp_path / "tocsin.toml").write_text(text if over else f"{text}\n[pack]\n", "utf-8")
        for name in ("signatures", "runbooks"):
            (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / "signatures" / "own.toml").write_text(signature, "utf-8")
        (tmp_path / "runbooks" / "gateway-refused.md").write_text("# Refused\n", "utf-8")
        return tmp_path

    return write


def problems(root):
    return [str(problem) for problem in check(root)]


def test_ones_own_signatures_stand_beside_those_of_the_pack(own):
    found = read_configuration(own(""), {}).signatures
    assert {"gateway-refused", "lambda-timeout", "database-none"} <= found.keys()
    assert problems(own("")) == []


def test_an_override_changes_what_it_names_and_leaves_the_rest_to_the_pack(own):
    before = read_configuration(own(""), {}).signatures["lambda-timeout"]
    text = """
    [override.lambda-timeout]
    severity = "low"
    owner = "platform"
    resolve_after = "1h"
    threshold = { count = 3, within = "5m" }
    scope = { services = ["worker"] }
    """
    after = read_configuration(own(text), {}).signatures["lambda-timeout"]
    assert (after.severity, after.owner, after.resolve_after) == (Severity.LOW, "platform", 3_600_000)
    assert after.threshold is not None
    assert (after.threshold.count, after.services) == (3, ("worker",))
    assert (after.any, after.runbook, after.matches) == (before.any, before.runbook, before.matches)


def test_samples_of_an_override_are_added_and_proven(own):
    good = '[override.lambda-timeout]\nmatches = ["2026-01-01T00:00:00Z 5 Task timed out after 9.00 seconds"]'
    assert problems(own(good)) == []
    assert len(read_configuration(own(good), {}).signatures["lambda-timeout"].matches) > 1
    (problem,) = problems(own('[override.lambda-timeout]\nmatches = ["ERROR something else"]'))
    assert problem.startswith("tocsin.toml: override.lambda-timeout.matches[0]: is not recognised"), problem


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[override.lambda-timout]\nseverity = "low"', "override.lambda-timout: there is no signature 'lambda-timout' (did you mean lambda-timeout?)"),
        ('[override.lambda-timeout]\nseverety = "low"', "override.lambda-timeout.severety: cannot be overridden (did you mean severity?)"),
        ('[override.lambda-timeout]\nseverity = "bad"', "override.lambda-timeout.severity: must be one of"),
        ('[override.lambda-timeout]\nrunbook = "gone.md"', "override.lambda-timeout.runbook: there is no runbooks/gone.md"),
        ('[override.lambda-timeout]\nany = ["x"]', "override.lambda-timeout.any: cannot be overridden"),
        ("[override.lambda-timeout]\noff = 1", "override.lambda-timeout.off: must be true or false"),
        ("override = 1", "override: must be a table"),
        ('[pack]\noff = ["pyton"]', "pack.off: there is no family 'pyton' (did you mean python?)"),
        ('[pack]\noff = ["own"]', "pack.off: there is no family 'own'"),
        ('[pack]\nof = ["python"]', "pack.of: unknown key (did you mean off?)"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_message_about_ones_own_file(own, text, said):
    (problem,) = problems(own(text))
    assert problem.startswith(f"tocsin.toml: {said}"), problem


def test_a_signature_and_a_family_can_be_switched_off(own):
    text = '[override.lambda-timeout]\noff = true\n[pack]\noff = ["python"]'
    found = read_configuration(own(text), {}).signatures
    assert found["lambda-timeout"].status is Status.OFF
    python = [rule for rule in found.values() if rule.file == "pack/python.toml"]
    assert python
    assert all(rule.status is Status.OFF for rule in python)
    assert found["database-none"].status is Status.STABLE
    assert problems(own(text)) == []


def test_an_id_of_the_pack_is_not_taken_silently(own):
    copied = OWN_SIGNATURE.replace("gateway-refused]", "lambda-timeout]")
    (problem,) = problems(own("", copied))
    assert problem.startswith("signatures/own.toml: lambda-timeout: is also in pack/lambda.toml")
    assert "[override]" in problem


def test_what_is_built_says_the_same_as_ones_own_folder_and_is_sealed(own, tmp_path):
    from tocsin.adapters.files.compiled_search import COMPILED, COMPILED_SEARCH, stale_files
    from tocsin.adapters.files.configuration import load_configuration

    root = own('[override.lambda-timeout]\nseverity = "low"\n[pack]\noff = ["python"]')
    before = sorted(path.name for path in root.rglob("*"))
    built = stage(root, tmp_path.parent / "built") / "functions"
    assert sorted(path.name for path in root.rglob("*")) == before, "nothing is written into one's own folder"
    here, there = read_configuration(root, {}), load_configuration(built, {})
    assert here.settings == there.settings
    assert {name: (rule.severity, rule.status, rule.any) for name, rule in here.signatures.items()} == {
        name: (rule.severity, rule.status, rule.any) for name, rule in there.signatures.items()
    }
    assert stale_files(built) == []
    settings = built / "tocsin.toml"
    settings.write_text(settings.read_text("utf-8").replace('"low"', '"high"'), "utf-8")
    assert stale_files(built) == [COMPILED, COMPILED_SEARCH], (
        "the compiled signatures are of this very override"
    )
    assert load_configuration(built, {}).signatures["lambda-timeout"].severity is Severity.HIGH


def test_staging_again_removes_what_is_gone_and_touches_nothing_that_stays(own, tmp_path):
    root, target = own(""), tmp_path.parent / "again"
    stage(root, target)
    template = (target / "template.yaml").stat().st_mtime_ns
    assert (target / "functions" / "signatures" / "own.toml").is_file()
    (root / "signatures" / "own.toml").unlink()
    stage(root, target)
    assert not (target / "functions" / "signatures" / "own.toml").exists()
    assert (target / "template.yaml").stat().st_mtime_ns == template


def test_a_clone_builds_where_it_lies(own):
    assert project_of(ROOT / "functions") == ROOT
    assert project_of(own("")).parts[-2:] == (".tocsin", "build")


def test_a_further_environment_lies_over_the_deployment(own):
    from tocsin_cli.deployment_file import read_deployment

    root = own(
        '[deploy]\nstack = "a"\nregion = "eu-west-1"\n[deploy.parameters]\nLogGroupNames = ["x", "y"]\nGroupWait = "5s"\n'
        '[env.staging]\nstack = "b"\n[env.staging.parameters]\nGroupWait = "1s"\n'
    )
    assert read_deployment(root).stack == "a"
    staging = read_deployment(root, "staging")
    assert (staging.stack, staging.region) == ("b", "eu-west-1")
    assert staging.parameters == {"LogGroupNames": ["x", "y"], "GroupWait": "1s"}
    with pytest.raises(ConfigurationError, match=r"did you mean staging\?"):
        read_deployment(root, "stagin")
    text = (project_of(root, "staging") / "samconfig.toml").read_text("utf-8")
    assert 'stack_name = "b"' in text
    assert r'"LogGroupNames=\"x,y\""' in text


def test_what_cloudformation_would_refuse_is_refused_once_where_it_is_written(own):
    text = (
        '[deploy.parameters]\nLogGroupNams = ["x"]\n[env.staging]\nstack = "b"\n[env.staging.parameters]\n'
        'LogGroupNames = ["/tocsin/detect"]\nHeartbeatMinutes = 7\n'
    )
    found = problems(own(text))
    assert [problem.split(":")[1].strip() for problem in found] == [
        "deploy.parameters.LogGroupNams", "env.staging.parameters.LogGroupNames", "env.staging.parameters.HeartbeatMinutes",
    ]  # fmt: skip
    assert "LogGroupNames" in found[0]


def test_a_value_with_quotation_marks_reaches_sam_as_it_is(own):
    from tocsin_cli.stack.parameters import given_parameters

    root = own(
        "[deploy.parameters]\nFilterPattern = '?\"ERROR x\" ?FATAL'\nKinesisShards = 2\nDeadLetterQueueNames = []\n"
    )
    assert given_parameters(project_of(root), {}) == {
        "FilterPattern": '?"ERROR x" ?FATAL', "KinesisShards": "2", "DeadLetterQueueNames": "",
    }  # fmt: skip


def test_a_folder_that_says_nothing_of_a_pack_stands_alone_and_check_says_so(own, capsys, monkeypatch):
    from tocsin_cli.main import main

    root = own("")
    (root / "tocsin.toml").write_text("", "utf-8")
    assert list(read_configuration(root, {}).signatures) == ["gateway-refused"]
    assert main(["check", "--root", str(root)]) == 0
    assert "write [pack] into tocsin.toml" in capsys.readouterr().err
    (root / "signatures" / "own.toml").unlink()
    assert "lambda-timeout" in read_configuration(root, {}).signatures, "no signatures at all is never meant"


def test_unknown_errors_are_overridden_like_a_signature_of_the_pack(own):
    text = """
    [override.unknown-error]
    severity = "high"
    owner = "platform"
    resolve_after = "1h"
    """
    assert problems(own(text)) == []
    rule = with_unknown_error(read_configuration(own(text), {}).signatures)["unknown-error"]
    assert (rule.severity, rule.owner, rule.resolve_after) == (Severity.HIGH, "platform", 3_600_000)


def test_unknown_errors_that_are_off_are_looked_for_nowhere(own):
    config = read_configuration(own("[override.unknown-error]\noff = true"), {})
    finder = ErrorFinder(config.signatures, config.settings.errors)
    assert finder.raw_expression == ""
    assert finder.unexplained("ERROR no stock", []) is None


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('severity = "bad"', "override.unknown-error.severity: must be one of critical"),
        ('runbook = "a.md"', "override.unknown-error.runbook: cannot be overridden of what is built in"),
        ("owner = 5", "override.unknown-error.owner: must be text"),
        ('resolve_after = "soon"', "override.unknown-error.resolve_after: 'soon' is not a duration"),
    ],
)
def test_a_mistake_in_an_override_of_unknown_errors_is_named(own, line, reason):
    with pytest.raises(ConfigurationError) as caught:
        read_configuration(own(f"[override.unknown-error]\n{line}"), {})
    assert reason in str(caught.value)
