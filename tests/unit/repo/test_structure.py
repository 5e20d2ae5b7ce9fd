"""The structure that a newcomer relies on: imports point one way, the core is pure, boto3 is never bundled."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
FUNCTIONS = ROOT / "functions"
LAYERS = ("tocsin.core", "tocsin.adapters", "tocsin")  # what a layer may import: itself and those before it
IMPURE = {
    "boto3", "botocore", "requests", "urllib", "http", "socket", "ssl", "os", "subprocess", "time", "random", "secrets",
    "threading", "pathlib", "tempfile", "io", "sys", "logging", "aws_lambda_powertools",
}  # fmt: skip
PURE_PARTS = {"urllib.parse"}
MODULES = sorted(FUNCTIONS.rglob("*.py"))


def imports(path):
    """Every module a file imports at run time, in functions too; not those for type checkers only."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def layer(module):
    return next((layer for layer in LAYERS if module == layer or module.startswith(layer + ".")), None)


def name_of(path):
    return ".".join(path.relative_to(FUNCTIONS).with_suffix("").parts)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_point_from_handlers_to_adapters_to_the_core_and_never_back(path):
    own = layer(name_of(path))
    for imported in imports(path):
        assert not imported.startswith(("tocsin_cli", "detect", "reconcile", "notify.")), imported
        if own is not None and layer(imported) is not None:
            assert LAYERS.index(layer(imported)) <= LAYERS.index(own), f"{name_of(path)} imports {imported}"


@pytest.mark.parametrize(
    "path", sorted((FUNCTIONS / "tocsin" / "core").rglob("*.py")), ids=lambda path: path.stem
)
def test_the_core_does_no_io_and_reads_no_clock_and_no_environment(path):
    for imported in imports(path):
        assert imported in PURE_PARTS or imported.partition(".")[0] not in IMPURE, (
            f"{path.name} imports {imported}"
        )
    text = path.read_text("utf-8")
    assert not re.search(r"\b(datetime\.now|utcnow|time\.time|open\(|print\()", text)


@pytest.mark.parametrize("path", sorted((FUNCTIONS / "tocsin").rglob("*.py")), ids=name_of)
def test_only_adapters_and_the_composition_root_speak_to_aws_and_http(path):
    if "adapters" in path.parts or path.name == "bootstrap.py":
        return
    assert not {"boto3", "botocore", "requests"} & {imported.partition(".")[0] for imported in imports(path)}


def test_what_ships_is_what_pyproject_says_and_never_boto3():
    lines = (FUNCTIONS / "requirements.txt").read_text("utf-8").splitlines()
    shipped = {re.split(r"[=<>\[]", line)[0] for line in lines if line and not line.startswith("#")}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    assert shipped <= {re.split(r"[=<>\[]", line)[0] for line in project}
    assert not shipped & {"boto3", "botocore", "s3transfer", "aws-lambda-powertools[aws-sdk]"}


@pytest.mark.parametrize(
    "path", [*(ROOT / "tocsin_cli").rglob("*.py"), *MODULES], ids=lambda path: str(path.relative_to(ROOT))
)
def test_no_drawer_for_everything(path):
    assert not {"utils", "helpers", "common", "manager", "misc"} & set(path.stem.split("_"))


@pytest.mark.parametrize(
    "path", [*(ROOT / "tocsin_cli").rglob("*.py"), *MODULES], ids=lambda path: str(path.relative_to(ROOT))
)
def test_a_module_can_be_read_in_one_sitting(path):
    assert len(path.read_text("utf-8").splitlines()) <= 500, "split it by what it is about"


def test_no_two_test_files_have_one_name():
    """They could not be collected in one run: pytest imports them by their bare names."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))
