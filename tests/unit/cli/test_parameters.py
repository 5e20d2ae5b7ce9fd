"""Deployment parameters are read in every form that people write them in, and as `sam` and CloudFormation will."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samcli.cli.types import CfnParameterOverridesType

from tocsin_cli.stack.parameters import (
    ParametersError,
    declarations,
    effective,
    for_sam,
    given_parameters,
    listed,
    read_overrides,
    refusals,
    samconfig_value,
)

ROOT = Path(__file__).resolve().parents[3]
DECLARED = declarations(ROOT / "template.yaml")


def as_sam_reads(text):
    return CfnParameterOverridesType().convert(text, None, None)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("A=1", {"A": "1"}),
        ('A="one two" B=2', {"A": "one two", "B": "2"}),
        ("A='one two'\n  B=2\n", {"A": "one two", "B": "2"}),
        ('A="say \\"no\\"" B=x', {"A": 'say "no"', "B": "x"}),
        ('A=""', {"A": ""}),
        ("A=", {"A": ""}),
        ("A= B=2", {"A": "", "B": "2"}),
        ("B=2 A=", {"B": "2", "A": ""}),
        ("ParameterKey=A,ParameterValue=1 ParameterKey=B,ParameterValue=2", {"A": "1", "B": "2"}),
        ('ParameterKey=A,ParameterValue="one two"', {"A": "one two"}),
        ("ParameterKey=A,ParameterValue=", {"A": ""}),
        ("ParameterKey=A,ParameterValue=1 B=2", {"A": "1", "B": "2"}),
        ("A=/aws/lambda/x,/aws/lambda/y", {"A": "/aws/lambda/x,/aws/lambda/y"}),
        ("A=1 A=2", {"A": "2"}),
        ("A=b=c", {"A": "b=c"}),
        ("", {}),
        (["A=1", 'B="x y"'], {"A": "1", "B": "x y"}),
        ({"A": 1, "B": ["x", "y"], "C": "text"}, {"A": "1", "B": "x,y", "C": "text"}),
        (None, {}),
    ],
)
def test_every_form_is_read_as_it_is_meant(text, meant):
    assert read_overrides(text) == meant


@pytest.mark.parametrize(
    "text", ["LogGroupNames", "A=1 nonsense", "A=one two", 'A="open', "file://x.yaml", 7]
)
def test_what_cannot_be_understood_is_named_and_never_dropped(text):
    with pytest.raises(ParametersError):
        read_overrides(text)


@given(st.dictionaries(st.from_regex(r"[A-Za-z0-9]{1,8}", fullmatch=True), st.text(st.characters(codec="utf-8", exclude_categories=["C"])), min_size=1))  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_sam_gets_exactly_what_was_read(tmp_path_factory, parameters):
    file = tmp_path_factory.mktemp("sam") / "parameters.yaml"
    file.write_text(for_sam(parameters), "utf-8")
    assert as_sam_reads(f"file://{file}") == parameters


@given(st.dictionaries(st.from_regex(r"[A-Za-z0-9]{1,8}", fullmatch=True), st.text("ab,/-. \\'", min_size=1), min_size=1))  # fmt: skip
def test_what_sam_understands_in_quotes_is_understood_the_same(parameters):
    text = " ".join(f'{name}="{value}"' for name, value in parameters.items() if not value.endswith("\\"))
    if text:
        assert read_overrides(text) == as_sam_reads(text)


def test_what_is_not_given_is_what_runs_or_else_the_templates_default():
    first = effective(DECLARED, {}, {})
    assert set(first) == set(DECLARED)
    assert first["LogGroupNames"] == "/aws/lambda/backend,/aws/lambda/worker"
    assert first["KinesisShards"] == "0"
    later = effective(DECLARED, {"GroupWait": "5s"}, {"LogGroupNames": "/x", "Unheard": "of"})
    assert (later["LogGroupNames"], later["GroupWait"], later["CreateDashboard"]) == ("/x", "5s", "yes")
    assert "Unheard" not in later


def test_an_empty_list_holds_no_name():
    assert listed("") == []
    assert listed(" a , b,") == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("LogGroupName", "/x", "is it LogGroupNames?"),
        ("HeartbeatMinutes", "7", "none of '0', '1', '5'"),
        ("LogGroupNames", "/x,/tocsin/tocsin/detect", "none of them under /tocsin/"),
        ("KinesisShards", "201", "more than 200"),
        ("KinesisShards", "-1", "less than 0"),
        ("KinesisShards", "two", "not a number"),
        ("FilterPattern", "x" * 1025, "1024 at most"),
        ("SlackSecretName", "xoxb-1", "never the credential itself"),
    ],
)
def test_what_cloudformation_would_refuse_is_refused_with_the_reason(name, value, named):
    (one,) = refusals(DECLARED, {name: value})
    assert named in one


def test_defaults_and_empty_lists_are_not_refused():
    assert refusals(DECLARED, effective(DECLARED, {}, {})) == []
    assert refusals(DECLARED, {"LogGroupNames": "", "DeadLetterQueueNames": "a, b.fifo"}) == []


def test_parameters_come_from_the_variable_or_else_from_samconfig_and_never_from_both(tmp_path):
    samconfig = tmp_path / "samconfig.toml"
    samconfig.write_text(
        '[default.global.parameters]\nstack_name = "blue"\n'
        '[default.deploy.parameters]\nregion = "eu-west-1"\nparameter_overrides = ["A=1", "B=2"]\n'
    )
    assert given_parameters(tmp_path, {}) == {"A": "1", "B": "2"}
    assert given_parameters(tmp_path, {"PARAMETERS": "A=3"}) == {"A": "3"}
    assert given_parameters(tmp_path, {"PARAMETERS": "  "}) == {"A": "1", "B": "2"}
    assert (samconfig_value(samconfig, "stack_name"), samconfig_value(samconfig, "region")) == (
        "blue",
        "eu-west-1",
    )
    assert samconfig_value(tmp_path / "none", "region") is None
    with pytest.raises(ParametersError, match="PARAMETERS: `oops`"):
        given_parameters(tmp_path, {"PARAMETERS": "oops"})
    samconfig.write_text("not toml")
    with pytest.raises(ParametersError, match="samconfig"):
        given_parameters(tmp_path, {})
