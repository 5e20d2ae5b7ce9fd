"""The GitHub workflows do what the Makefile does, with a lent role and no more rights than it needs."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"(?m)^([a-z]+):", (ROOT / "Makefile").read_text("utf-8")))
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}")
NOT_A_KEY = {"permissions", "name", True, "concurrency", "jobs"}

each_workflow = pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)


def read(path):
    return yaml.safe_load(path.read_text("utf-8"))


def jobs(path):
    return read(path)["jobs"]


def steps(path):
    return [step for job in jobs(path).values() for step in job["steps"]]


def test_there_is_a_workflow_that_deploys():
    assert [
        path.name for path in WORKFLOWS if any(step.get("run") == "make deploy" for step in steps(path))
    ] == ["deploy.yml"]


@each_workflow
def test_it_has_the_shape_that_github_reads(workflow):
    content = read(workflow)
    assert set(content) <= NOT_A_KEY
    assert True in content, "`on`, which YAML 1.1 reads as a truth"
    for job in content["jobs"].values():
        assert set(job) <= {
            "needs",
            "if",
            "runs-on",
            "timeout-minutes",
            "environment",
            "permissions",
            "steps",
            "strategy",
        }
        assert set(job.get("needs", ())) <= set(content["jobs"])
        for step in job["steps"]:
            assert set(step) <= {"uses", "with", "run", "env", "if"}
            assert ("uses" in step) != ("run" in step)
            assert all(isinstance(value, str) for value in step.get("env", {}).values())


@each_workflow
def test_each_command_is_one_target_of_the_makefile(workflow):
    commands = [step["run"] for step in steps(workflow) if "run" in step]
    assert commands
    assert [command for command in commands if not re.fullmatch(r"make [a-z]+", command)] == []
    assert {command.removeprefix("make ") for command in commands} <= TARGETS


@each_workflow
def test_each_action_is_pinned_to_a_commit_whose_version_is_said(workflow):
    used = [step["uses"] for step in steps(workflow) if "uses" in step]
    assert [action for action in used if not PINNED.fullmatch(action)] == []
    unnamed = re.findall(r"(?m)uses: (\S+)(?! # v\d+\.\d+\.\d+)$", workflow.read_text("utf-8"))
    assert unnamed == [], "a reader must see which version a commit is"


@each_workflow
def test_it_may_read_the_sources_and_only_the_deploy_may_ask_for_a_role(workflow):
    assert read(workflow)["permissions"] == {"contents": "read"}
    for name, job in jobs(workflow).items():
        expected = {"contents": "read", "id-token": "write"} if name == "deploy" else None
        assert job.get("permissions") == expected


@each_workflow
def test_no_credential_is_kept_in_it_or_left_behind(workflow):
    text = workflow.read_text("utf-8")
    assert not re.search(r"(?i)secrets\.|access[_-]key|AKIA|password", text)
    for step in steps(workflow):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"] == {"persist-credentials": False}
    roles = [step["with"] for step in steps(workflow) if "configure-aws-credentials" in step.get("uses", "")]
    assert [set(role) for role in roles] == [{"role-to-assume", "aws-region"}] * ("deploy" in jobs(workflow))


@each_workflow
def test_nothing_from_outside_is_pasted_into_a_shell(workflow):
    assert [step["run"] for step in steps(workflow) if "${{" in step.get("run", "")] == []
    assert "pull_request_target" not in workflow.read_text("utf-8")


def test_nothing_is_deployed_before_lint_tests_and_build_and_never_from_a_pull_request():
    deploy = jobs(ROOT / ".github" / "workflows" / "deploy.yml")["deploy"]
    assert set(deploy["needs"]) == {"lint", "test", "unit", "build"}
    assert "github.ref == 'refs/heads/main'" in deploy["if"]
    assert "github.event_name != 'pull_request'" in deploy["if"]
    assert deploy["environment"] == "production"


def test_an_older_run_of_a_pull_request_is_cancelled_and_a_deploy_never():
    concurrency = read(ROOT / ".github" / "workflows" / "deploy.yml")["concurrency"]
    assert concurrency["cancel-in-progress"] == "${{ github.event_name == 'pull_request' }}"


def test_the_command_is_tried_on_every_python_that_it_says_it_runs_on():
    workflow = jobs(ROOT / ".github" / "workflows" / "deploy.yml")
    tried = {*workflow["unit"]["strategy"]["matrix"]["python"], "3.13"}
    assert tried == {"3.11", "3.12", "3.13", "3.14"}


HOOKS = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))["repos"][0]["hooks"]


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
def test_a_hook_runs_what_make_lint_runs(hook):
    command = hook["entry"].removeprefix(".venv/bin/").split()
    lint = (ROOT / "Makefile").read_text("utf-8").partition("\nlint:")[2].partition("\n\n")[0]
    assert f"$(BIN)/{command[0]}" in lint
    re.compile(hook.get("files", ""))


def test_every_direct_dependency_is_in_the_lock_file():
    name = re.compile(r"^[A-Za-z0-9_.-]+")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = {
        name.match(each)[0].lower().replace("_", "-") for each in (*project["dependencies"], *extras["dev"])
    } - {"tocsin"}  # fmt: skip
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    assert wanted <= {line.partition("==")[0].lower().replace("_", "-") for line in lines}
