"""What `tocsin deploy` keeps for the way back: beside the configuration, out of reach of a build."""

from __future__ import annotations

import json
import shutil
from types import SimpleNamespace

import pytest

from tocsin_cli.commands import deploy


@pytest.fixture
def running(monkeypatch):
    """A stack that runs."""
    stack = {
        "StackStatus": "UPDATE_COMPLETE",
        "Parameters": [{"ParameterKey": "GroupWait", "ParameterValue": "30s"}],
    }
    client = SimpleNamespace(
        describe_stacks=lambda **_: {"Stacks": [stack]},
        get_template=lambda **_: {"TemplateBody": "Resources: {}"},
    )
    monkeypatch.setattr(deploy, "_client", lambda *_, **__: client)


@pytest.mark.parametrize("build", ["build", "build-staging"])
def test_what_is_kept_survives_a_cleaned_build_folder(running, tmp_path, build):
    project = tmp_path / ".tocsin" / build
    project.mkdir(parents=True)
    assert deploy.keep_what_runs(project, "tocsin", None)
    shutil.rmtree(project)
    kept = tmp_path / ".tocsin" / "before" / "tocsin"
    assert (kept / "template.yaml").read_text() == "Resources: {}"
    assert json.loads((kept / "parameters.json").read_text()) == {"GroupWait": "30s"}


def test_a_clone_keeps_it_in_itself(running, tmp_path):
    assert deploy.keep_what_runs(tmp_path, "tocsin", None)
    assert (tmp_path / ".tocsin" / "before" / "tocsin" / "template.yaml").is_file()
