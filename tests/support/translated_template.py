"""The template as CloudFormation gets it: loops unrolled, SAM translated, parameters filled in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from samcli.lib.translate.sam_template_validator import SamTemplateValidator
from samcli.yamlhelper import yaml_parse

ROOT = Path(__file__).resolve().parents[2]


class NoManagedPolicies:
    """Stands where the SAM CLI would ask IAM for managed policies; the template uses none."""

    def load(self) -> None:
        raise AssertionError("a managed policy is asked for")


def translated_with(parameters: Mapping[str, str]) -> dict[str, Any]:
    """What CloudFormation gets of a deployment with these parameters.

    The account is 123456789012, and SAM calls the stack `local`.
    """
    validator = SamTemplateValidator(
        yaml_parse((ROOT / "template.yaml").read_text()),
        NoManagedPolicies(),
        region="us-east-1",
        parameter_overrides={"AWS::URLSuffix": "amazonaws.com", **parameters},
        language_extensions_enabled=True,
    )
    template: dict[str, Any] = yaml_parse(validator.get_translated_template_if_valid())
    return template
