"""boto3 finds the models of services as ever, in a session that does not look through all of them."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import DataNotFoundError, UnknownServiceError
from botocore.loaders import Loader

from tocsin import bootstrap
from tocsin.adapters.aws.service_models import use_lean_session

FUNCTIONS = Path(__file__).parents[3] / "functions"
CODE = "".join(path.read_text("utf-8") for path in FUNCTIONS.rglob("*.py"))
SERVICES = sorted(set(re.findall(r'client\("([a-z]+)"', CODE)))
KINDS = ("service-2", "paginators-1", "waiters-2", "endpoint-rule-set-1")


@pytest.fixture(autouse=True)
def _credentials(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")


@pytest.fixture
def lean(monkeypatch):
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    use_lean_session()
    return boto3.DEFAULT_SESSION._session.get_component("data_loader")


def loaded(loader, service, kind):
    try:
        return loader.load_service_model(service, kind)
    except DataNotFoundError:  # botocore asks for no more: an unknown service is one of these
        return None


def test_the_services_are_known():
    assert {"dynamodb", "sns", "sqs", "secretsmanager", "logs", "lambda", "cloudwatch"} <= set(SERVICES)


@pytest.mark.parametrize("service", SERVICES)
def test_a_model_is_the_one_that_boto3_finds_by_itself(lean, service):
    for kind in KINDS:
        assert loaded(lean, service, kind) == loaded(Loader(), service, kind)


@pytest.mark.parametrize("service", SERVICES)
def test_what_can_be_paged_is_what_could_be(lean, service, monkeypatch):
    assert lean is not None
    client = boto3.client(service, region_name="eu-west-1")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    plain = boto3.client(service, region_name="eu-west-1")
    operations = client.meta.method_to_api_mapping
    assert operations == plain.meta.method_to_api_mapping
    assert [*map(client.can_paginate, operations)] == [*map(plain.can_paginate, operations)]
    assert client.meta.endpoint_url == plain.meta.endpoint_url


def test_a_service_that_there_is_not_is_refused_in_the_same_words(lean):
    assert lean is not None
    with pytest.raises(UnknownServiceError, match="Unknown service: 'kaboom'"):
        boto3.client("kaboom", region_name="eu-west-1")
    with pytest.raises(DataNotFoundError):
        lean.load_service_model("dynamodb", "kaboom-1")


def test_a_folder_of_ones_own_counts(monkeypatch, tmp_path):
    model = tmp_path / "own" / "2026-01-01" / "service-2.json"
    model.parent.mkdir(parents=True)
    model.write_text(json.dumps({"metadata": {"apiVersion": "2026-01-01"}, "operations": {}, "shapes": {}}))
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    use_lean_session()
    loader = boto3.DEFAULT_SESSION._session.get_component("data_loader")
    assert loader.load_service_model("own", "service-2")["metadata"] == {"apiVersion": "2026-01-01"}
    assert loader.load_service_model("sns", "service-2")["operations"]


def test_boto3_still_knows_which_services_have_resources(lean):
    assert lean is not None
    assert "dynamodb" in boto3.DEFAULT_SESSION.get_available_resources()
    assert "lambda" not in boto3.DEFAULT_SESSION.get_available_resources()


def test_a_session_that_somebody_made_is_left_alone(monkeypatch):
    own = object()
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", own)
    use_lean_session()
    assert boto3.DEFAULT_SESSION is own


def test_another_version_of_botocore_costs_time_and_no_client(monkeypatch):
    monkeypatch.delattr("botocore.loaders.instance_cache")
    monkeypatch.delitem(sys.modules, "tocsin.adapters.aws.service_models")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    client = bootstrap._client.__wrapped__("sqs")
    assert client.meta.service_model.service_name == "sqs"
    assert "tocsin.adapters.aws.service_models" not in sys.modules
