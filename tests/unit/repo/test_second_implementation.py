"""What is given to the second implementation is the template, and its page says how it is made again."""

from __future__ import annotations

import re

import second_implementation
from second_implementation import PAGE, ROOT, Found, deployable, page


def test_what_the_translation_left_as_text_is_substituted_and_nothing_else_is_touched():
    given = {
        "Resources": {
            "Role": {"Type": "AWS::IAM::Role", "Properties": {"Resource": ["${Table.Arn}/index/due", "*"]}},
            "Board": {"Type": "X", "Properties": {"Body": {"Fn::Sub": "${Stack}"}}},
            "Detect": {
                "Type": "AWS::Lambda::Function",
                "Properties": {"Code": {"S3Bucket": "b"}, "Timeout": 60},
            },
        }
    }
    made = deployable(given)["Resources"]
    assert made["Role"]["Properties"]["Resource"] == [{"Fn::Sub": "${Table.Arn}/index/due"}, "*"]
    assert made["Board"]["Properties"]["Body"] == {"Fn::Sub": "${Stack}"}
    assert made["Detect"]["Properties"] == {"Code": {"S3Bucket": "code", "S3Key": "code.zip"}, "Timeout": 60}


def test_the_page_names_what_was_refused_what_is_missing_and_what_was_only_accepted():
    found = Found(
        "9.9", ended=["CREATE_FAILED"], expected={"Table": "AWS::T", "Board": "AWS::B", "Queue": "AWS::Q"}
    )
    found.made, found.passed_over = {"Board", "Queue"}, ["AWS::B"]
    found.refused = [("Table", "AWS::T", "no such thing here")]
    said = page(found)
    assert "| `Table` | `AWS::T` | no such thing here |" in said
    assert "| 1 of 3 |" in said
    assert "| missing | `Table` |" in said
    assert "| `AWS::B` |" in said


def test_the_page_is_of_the_version_that_make_installs_and_of_a_deploy_to_its_end():
    (pinned,) = re.findall(r"localstack-core\[runtime\]==([\d.]+)", (ROOT / "Makefile").read_text("utf-8"))
    said = PAGE.read_text("utf-8")
    assert f"LocalStack {pinned}\n" in said
    assert "`CREATE_COMPLETE`, `UPDATE_COMPLETE`, `DELETE_COMPLETE`" in said
    assert second_implementation.PYTHON.parts[-3] in (ROOT / "Makefile").read_text("utf-8")
