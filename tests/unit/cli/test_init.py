"""``tocsin init``: a folder that is right from the first minute, and never over somebody's files."""

from __future__ import annotations

import os
import subprocess
import tomllib

import pytest
import yaml

from tocsin.core.config.settings import parse_settings
from tocsin_cli.authoring.check import check
from tocsin_cli.deployment_file import read_deployment
from tocsin_cli.main import main
from tocsin_cli.starter.account import _dead_letter_queues, prefixes, ranked_log_groups


def init(folder, *more):
    return main(["init", str(folder), "--no-aws", "--yes", "--region", "eu-west-1", *more])


def test_what_is_written_passes_check_and_says_what_is_deployed(tmp_path, capsys):
    folder = tmp_path / "alerts"
    given = [
        "--log-group",
        "/aws/lambda/orders",
        "--log-group",
        "/ecs/odd.na#me",
        "--dlq",
        "orders-dlq",
        "--email",
        "a@example.com",
    ]
    assert init(folder, *given) == 0
    assert check(folder) == ()
    deployment = read_deployment(folder)
    assert (deployment.stack, deployment.region) == ("tocsin", "eu-west-1")
    assert deployment.parameters["LogGroupNames"] == ["/aws/lambda/orders", "/ecs/odd.na#me"]
    assert deployment.parameters["OperatorEmail"] == "a@example.com"
    assert "tocsin deploy" in capsys.readouterr().out


@pytest.mark.parametrize(
    "more", [[], ["--runbooks", "https://wiki.example.com/r/"], ["--rest-api", "shop"], ["--health-data"]]
)
def test_every_choice_passes_check(tmp_path, more):
    assert init(tmp_path, *more) == 0
    assert check(tmp_path) == ()
    tomllib.loads((tmp_path / "tocsin.toml").read_text("utf-8"))


def test_where_there_may_be_health_data_every_log_group_is_strict_and_elsewhere_none(tmp_path):
    for folder, more in (("plain", []), ("health", ["--health-data"])):
        assert init(tmp_path / folder, *more) == 0
        settings = parse_settings((tmp_path / folder / "tocsin.toml").read_text("utf-8"), {})
        assert settings.is_strict("orders", "/aws/lambda/orders") is (folder == "health")


def test_nothing_is_written_over_and_nothing_half(tmp_path, capsys):
    (tmp_path / "tocsin.toml").write_text("# mine\n", "utf-8")
    assert init(tmp_path) == 1
    assert "tocsin.toml is there already" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["tocsin.toml"]
    assert (tmp_path / "tocsin.toml").read_text("utf-8") == "# mine\n"


def test_the_workflow_deploys_main_only_and_keeps_no_key(tmp_path):
    assert init(tmp_path) == 0
    text = (tmp_path / ".github" / "workflows" / "tocsin.yml").read_text("utf-8")
    jobs = yaml.safe_load(text)["jobs"]
    assert jobs["deploy"]["if"] == "github.ref == 'refs/heads/main' && github.event_name == 'push'"
    assert jobs["deploy"]["permissions"]["id-token"] == "write"
    assert "@" not in jobs["deploy"]["concurrency"]["group"]
    assert "aws-access-key-id" not in text
    # Nothing of a pull request is put into a script as text.
    scripts = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert not [script for script in scripts if "${{" in script]


def test_a_pull_request_is_backtested_where_a_role_is_given_and_never_one_from_a_fork(tmp_path):
    assert init(tmp_path) == 0
    steps = yaml.safe_load((tmp_path / ".github" / "workflows" / "tocsin.yml").read_text("utf-8"))["jobs"][
        "check"
    ]["steps"]
    named = {step["name"]: step for step in steps if "name" in step}
    role, shown = named["The role that reads logs"], named["What this changes"]
    assert role["with"]["role-to-assume"] == "${{ vars.AWS_BACKTEST_ROLE_ARN }}"
    for needed in (
        "pull_request",
        "vars.AWS_BACKTEST_ROLE_ARN != ''",
        "head.repo.full_name == github.repository",
    ):
        assert needed in role["if"]
    assert role["continue-on-error"] is True
    for backtest, extra in (("7d", ["--backtest", "7d"]), ("", [])):
        script = 'tocsin() { printf "%s\\n" "$@"; }; gh() { :; }\n' + shown["run"]
        done = subprocess.run(
            ["bash", "-e", "-c", script],
            cwd=tmp_path, env={**os.environ, "BASE": "main", "NUMBER": "7", "BACKTEST": backtest},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stdout.split() == ["plan", "--changed-since", "origin/main", "--markdown", *extra]


def test_a_plan_that_fails_comments_nothing_and_fails_the_check(tmp_path):
    assert init(tmp_path) == 0
    steps = yaml.safe_load((tmp_path / ".github" / "workflows" / "tocsin.yml").read_text("utf-8"))["jobs"][
        "check"
    ]["steps"]
    (shown,) = [step for step in steps if step.get("name") == "What this changes"]
    # As GitHub runs a step that names no shell: a pipe would hide the failure.
    done = subprocess.run(
        ["bash", "-e", "-c", 'tocsin() { return 1; }; gh() { echo "commented"; }\n' + shown["run"]],
        cwd=tmp_path, env={**os.environ, "BASE": "main", "NUMBER": "7", "BACKTEST": ""},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "commented" not in done.stdout


def test_dead_letter_queues_are_offered_and_tocsins_own_never():
    names = ["orders", "orders-dlq", "alerts-NotifyDeadLetterQueue-4QX", "alerts-FailureQueue-8ZZ"]

    class Queues:
        def get_paginator(self, _):
            return self

        def paginate(self):
            return [{"QueueUrls": [f"https://sqs.example.com/1/{name}" for name in names]}]

        def get_queue_attributes(self, QueueUrl, AttributeNames):  # noqa: N803 - boto3's names
            return {}

    assert _dead_letter_queues(Queues()) == ["orders-dlq"]


def test_what_usually_matters_is_offered_first_and_tocsins_own_never():
    stored = {
        "/var/log": 9,
        "/aws/lambda/small": 1,
        "/aws/lambda/big": 5,
        "/tocsin/detect": 99,
        "/ecs/web": 7,
    }
    assert ranked_log_groups(stored) == ["/aws/lambda/big", "/aws/lambda/small", "/ecs/web", "/var/log"]
    assert prefixes(["api-5xx", "api-4xx", "jobs-age", "tocsin-dlq-depth", "single"]) == ["api-", "jobs-"]
