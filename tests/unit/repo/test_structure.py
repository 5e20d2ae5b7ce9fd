"""The structure that a newcomer relies on: imports point one way, the core is pure, boto3 is never bundled."""

from __future__ import annotations

import ast
import re
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
FUNCTIONS = ROOT / "functions"
LAYERS = ("tocsin.core", "tocsin.adapters", "tocsin")  # what a layer may import: itself and those before it
ROOMS = (
    "redaction",
    "config",
    "ingest",
    "signatures",
    "matching",
    "absence",
    "errors",
    "incidents",
    "notifications",
    "slack",
)
"""The packages of the core from the ground up: each imports only those before it, and the core's own modules."""
IMPURE = {
    "boto3", "botocore", "requests", "urllib", "http", "socket", "ssl", "os", "subprocess", "time", "random", "secrets",
    "threading", "pathlib", "tempfile", "io", "sys", "logging", "aws_lambda_powertools",
}  # fmt: skip
PURE_PARTS = ("urllib.parse",)
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
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


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


def room(module):
    """The package of the core that a module is in; None for the core's own modules and for whatever is no core."""
    found = re.match(r"tocsin\.core\.(\w+)", module)
    return found[1] if found and (FUNCTIONS / "tocsin" / "core" / found[1]).is_dir() else None


def test_the_packages_of_the_core_stand_on_each_other_and_none_below_knows_one_above():
    packages = {path.parent.name for path in (FUNCTIONS / "tocsin" / "core").glob("*/__init__.py")}
    assert packages == set(ROOMS), "a new package has a place in ROOMS"
    upwards = {
        (name_of(path), imported)
        for path in (FUNCTIONS / "tocsin" / "core").rglob("*.py")
        for imported in imports(path)
        if (above := room(imported)) and (below := room(name_of(path))) is not above
        if below is None or ROOMS.index(above) > ROOMS.index(below)
    }
    assert upwards == set()


@pytest.mark.parametrize("tree", [FUNCTIONS, ROOT / "tocsin_cli"], ids=["functions", "tocsin_cli"])
def test_no_module_imports_itself_by_way_of_others(tree):
    modules = {".".join(path.relative_to(tree.parent if tree != FUNCTIONS else tree).with_suffix("").parts): path
               for path in tree.rglob("*.py") if path.name != "__init__.py"}  # fmt: skip
    graph = {
        name: {imported for imported in imports(path) if imported in modules}
        for name, path in modules.items()
    }
    TopologicalSorter(graph).prepare()  # raises CycleError, which names them


@pytest.mark.parametrize(
    "path", sorted((ROOT / "tocsin_cli").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_what_ships_to_users_needs_neither_the_tools_nor_the_tests(path):
    assert not {"tools", "tests", "benchmarks"} & {imported.partition(".")[0] for imported in imports(path)}


@pytest.mark.parametrize(
    "path",
    [*FUNCTIONS.rglob("__init__.py"), *(ROOT / "tocsin_cli").rglob("__init__.py")],
    ids=lambda path: str(path.parent.relative_to(ROOT)),
)
def test_each_package_says_in_a_line_what_it_is_for(path):
    assert ast.get_docstring(ast.parse(path.read_text("utf-8")))


@pytest.mark.parametrize(
    "path", sorted((FUNCTIONS / "tocsin" / "core").rglob("*.py")), ids=lambda path: path.stem
)
def test_the_core_does_no_io_and_reads_no_clock_and_no_environment(path):
    for imported in imports(path):
        assert imported.startswith(PURE_PARTS) or imported.partition(".")[0] not in IMPURE, (
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
    assert not shipped & {"boto3", "botocore", "s3transfer"}


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
