"""What is deployed stands in tocsin.toml: every command that looks at a stack looks at that one."""

from __future__ import annotations

import pytest

from tocsin_cli.doctor import fixes
from tocsin_cli.main import main

FILE = """
[deploy]
stack  = "alerts"
region = "eu-west-3"

[env.staging]
stack = "alerts-staging"
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    (tmp_path / "tocsin.toml").write_text(FILE, "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("command", [("doctor",), ("incidents", "list"), ("errors",), ("drill",)])
@pytest.mark.parametrize(
    ("options", "stack"),
    [((), "alerts"), (("--env", "staging"), "alerts-staging"), (("--stack", "other"), "other")],
)
def test_without_options_a_command_looks_at_the_stack_and_region_of_the_file(command, options, stack, capsys):
    assert main([*command, *options]) != 0
    # Without the Region of the file it would ask for one first.
    assert f"no AWS credentials to look for stack {stack} with" in capsys.readouterr().err


def test_an_environment_that_is_not_in_the_file_is_refused_and_suggested(capsys):
    assert main(["doctor", "--env", "stagng"]) == 2
    assert "did you mean staging?" in capsys.readouterr().err


def test_a_file_that_is_broken_keeps_nobody_from_looking(folder, capsys):
    (folder / "tocsin.toml").write_text("[deploy", "utf-8")
    main(["errors", "--region", "eu-west-3"])
    assert "no AWS credentials to look for stack tocsin with" in capsys.readouterr().err


def test_in_ones_own_folder_nothing_is_fixed_by_make_or_sam(folder, monkeypatch):
    said = [
        fixes.redeploy(), fixes.restore(),
        fixes.set_parameter("LogGroupNames", "/a", "/b"), fixes.set_parameter("HeartbeatMinutes", "5"),
    ]  # fmt: skip
    assert not [each for each in said if "make " in each or "sam " in each]
    assert (
        said[2]
        == 'in tocsin.toml under [deploy.parameters]: LogGroupNames = ["/a", "/b"]; then tocsin deploy'
    )
    (folder / "tocsin.toml").unlink()
    assert fixes.redeploy() == "make deploy", "in a clone it is as it was"
