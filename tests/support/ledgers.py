"""The incident table as the template defines it, on moto; and a ledger in memory beside one on it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from samcli.yamlhelper import yaml_parse

from tocsin.adapters.aws.incident_table import IncidentTable
from tocsin.core.incidents.memory_store import MemoryLedger

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")


@cache
def _schema() -> dict[str, Any]:
    resources = yaml_parse((ROOT / "template.yaml").read_text("utf-8"))["Resources"]
    properties = resources["IncidentTable"]["Properties"]
    return {part: properties[part] for part in PARTS}


def create_incident_table(client, name="incidents"):
    client.create_table(TableName=name, **_schema())


@cache
def _session():
    """One for all tests: a session reads the models of services again, which takes longer than most tests."""
    return boto3.Session("testing", "testing", region_name="us-east-1")


@pytest.fixture
def dynamodb(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        client = _session().client("dynamodb")
        create_incident_table(client)
        yield client


@pytest.fixture(params=["memory", "dynamodb"])
def ledger(request):
    if request.param == "memory":
        return MemoryLedger()
    return IncidentTable(request.getfixturevalue("dynamodb"), "incidents")
