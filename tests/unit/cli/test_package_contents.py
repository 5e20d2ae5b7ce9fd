"""A built package with any one thing wrong in it is not fit to be deployed, and the reason names the file."""

from __future__ import annotations

import importlib.util
import shutil
import struct
from pathlib import Path

import pytest

from tocsin_cli.package import contents as package_contents
from tocsin_cli.package.contents import package_problems
from tocsin_cli.package.elf import compiled
from tocsin_cli.package.imports import STANDARD_LIBRARY, unresolved_imports

ROOT = Path(__file__).resolve().parents[3]
BOTH = ("x86_64", "aarch64")
MACHINE_NUMBERS = {"x86_64": 62, "aarch64": 183, "riscv": 243}
OWN = {
    "detect.py": "import json\nimport boto3\nimport dep\nfrom tocsin import core\nfrom dep import fast, NAME\n",
    "notify.py": "def handler():\n    from tocsin.core import words\n    return words.WORD\n",
    "reconcile.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from mypy_boto3_sns import SNSClient\n",
    "respond.py": "import json\n",
    "tocsin/__init__.py": "",
    "tocsin/core/__init__.py": "",
    "tocsin/core/words.py": "WORD = 'alarm'\n",
}
LIBRARY = """
try:
    import simplejson as json
except ImportError:
    import json
import sys
if sys.version_info < (3, 11):
    import tomli
if sys.platform == "win32":
    import winloop
NAME = "dep"
def never_called():
    import pandas
"""


def elf(machine, content=b""):
    return b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", 3, MACHINE_NUMBERS[machine]) + content


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


@pytest.fixture
def root(tmp_path):
    """A small deployment root, with the real signatures and their seal."""
    root = tmp_path / "functions"
    for name, content in OWN.items():
        write(root / name, content)
    shutil.copytree(ROOT / "functions" / "signatures", root / "signatures")
    shutil.copy(ROOT / "functions" / "tocsin.toml", root)
    return root


@pytest.fixture
def own(root):
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


@pytest.fixture
def package(root, own, tmp_path):
    """What a build of it makes: our files and a library with a compiled module for each processor."""
    package = tmp_path / "DetectFunction"
    shutil.copytree(root, package)
    write(package / "dep" / "__init__.py", LIBRARY)
    for machine in BOTH:
        write(package / f"dep/fast.cpython-313-{machine}-linux-gnu.so", elf(machine, b"\0GLIBC_2.28\0"))
    return package


@pytest.fixture
def problems(package, root, own):
    return lambda machines=BOTH: package_problems(package, root, own, machines)


def test_a_right_package_has_no_problems(problems):
    assert problems() == []


def test_a_package_that_was_never_built_says_so(root, own, tmp_path):
    assert package_problems(tmp_path / "none", root, own, BOTH) == [
        f"{tmp_path / 'none'}: there is no such folder: make build"
    ]


@pytest.mark.parametrize(
    "name", ["boto3/__init__.py", "botocore/x.py", "s3transfer-0.1.dist-info/RECORD", "boto3.py"]
)
def test_a_bundled_boto3_is_refused(package, problems, name):
    write(package / name, "")
    (problem,) = problems()
    assert problem.startswith(f"{name.partition('/')[0]}: Lambda's runtime brings it")


@pytest.mark.parametrize("name", ["dep/fast.pyd", "dep/libz.dylib", "tocsin/x.dll"])
def test_files_for_windows_and_macos_are_refused(package, problems, name):
    write(package / name, b"MZ")
    assert any(each.startswith(f"{name}: not for Linux") for each in problems())


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"MZ\x90\x00", "compiled for Windows"),
        (b"\xcf\xfa\xed\xfe" + bytes(60), "compiled for macOS"),
        (b"#!/bin/sh\n", "not a 64-bit ELF file"),
        (b"\x7fELF\x01\x01" + bytes(60), "not a 64-bit ELF file"),
        (elf("riscv"), "another processor"),
        (elf("x86_64", b"\0GLIBC_2.38\0GLIBC_2.2.5\0"), r"needs glibc 2.38, and the runtime has 2.34"),
        (elf("x86_64", b"\0libc.musl-x86_64.so.1\0"), "compiled for musl"),
        (elf("aarch64"), "its name says x86_64, its content is for aarch64"),
    ],
)
def test_a_compiled_module_that_lambda_cannot_load_is_refused(package, problems, content, reason):
    name = "dep/fast.cpython-313-x86_64-linux-gnu.so"
    write(package / name, content)
    assert any(each.startswith(f"{name}: ") and reason in each for each in problems()), problems()


def test_a_compiled_module_for_another_python_is_refused(package, problems):
    write(package / "dep/more.cpython-311-x86_64-linux-gnu.so", elf("x86_64"))
    assert any("compiled for CPython 311" in each for each in problems())


def test_a_compiled_module_that_one_processor_lacks_is_an_import_that_fails_there_alone(package, problems):
    (package / "dep/fast.cpython-313-aarch64-linux-gnu.so").unlink()
    (problem,) = problems()
    assert problem.startswith("detect.py:5: cannot import name 'fast' from 'dep' on aarch64:")
    assert problems(["x86_64"]) == []


def test_the_wrong_processors_modules_are_refused_where_one_is_chosen(package, problems):
    assert [each for each in problems(["x86_64"]) if "aarch64" in each]


def test_glibc_of_the_runtime_itself_is_good_enough():
    assert compiled(elf("x86_64", b"\0GLIBC_2.34\0GLIBC_2.4\0")).problem == ""


@pytest.mark.parametrize("name", ["tocsin.toml", "signatures/lambda.toml", "tocsin/core/words.py"])
def test_a_file_of_ours_that_is_missing_is_named(package, problems, name):
    (package / name).unlink()
    assert f"{name}: missing in the package: make build" in problems()


def test_a_file_that_was_changed_since_the_build_is_named(root, problems):
    (root / "notify.py").write_text("changed = True\n")
    (problem,) = problems()
    assert problem.startswith("notify.py: is another one in the package")


def test_a_compiled_form_that_does_not_fit_is_refused(package, root, problems):
    for folder in (package, root):
        with (folder / "signatures" / "lambda.toml").open("a") as file:
            file.write("# changed\n")
    for problem, name in zip(problems(), ("compiled", "search"), strict=True):
        assert (
            problem
            == f"signatures/{name}.json: missing, or made for other signatures, settings or code: build again"
        )


def test_a_compiled_form_that_only_the_package_has_is_right_and_one_that_it_lacks_is_not(
    package, root, problems
):
    for name in ("compiled.json", "search.json"):
        (root / "signatures" / name).unlink()
    assert problems() == []
    (package / "signatures" / "search.json").unlink()
    (problem,) = problems()
    assert problem.startswith("signatures/search.json: missing, or made for other signatures")


def test_a_file_left_over_in_our_own_folders_is_refused(package, problems):
    write(package / "tocsin/removed_long_ago.py", "")
    (problem,) = problems()
    assert problem.startswith("tocsin/removed_long_ago.py: not one of our files")


def test_a_link_is_refused(package, problems):
    (package / "dep" / "linked.py").symlink_to(package / "detect.py")
    assert any(each.startswith("dep/linked.py: a link") for each in problems())


def test_an_environment_in_the_package_is_refused(package, problems):
    write(package / "venv/lib/site-packages/x.py", "")
    assert any("an environment was packaged" in each for each in problems())


def test_a_package_that_grew_beyond_reason_is_refused(problems, monkeypatch):
    monkeypatch.setattr(package_contents, "MAX_PACKAGE_SIZE", 1000)
    assert any("would already be a mistake" in each for each in problems())


# --- byte code ---


def byte_code(source, *, unchecked=True):
    flags = 0b01 if unchecked else 0b00
    return (
        importlib.util.MAGIC_NUMBER + struct.pack("<I", flags) + importlib.util.source_hash(source) + b"code"
    )


def test_byte_code_of_the_sources_as_they_are_is_right(package, problems):
    source = (package / "detect.py").read_bytes()
    write(package / "__pycache__/detect.cpython-313.pyc", byte_code(source))
    assert problems() == []


@pytest.mark.parametrize(
    "name",
    ["__pycache__/detect.cpython-311.pyc", "__pycache__/gone.cpython-313.pyc", "detect.pyc"],
)
def test_byte_code_of_another_python_or_without_its_source_is_refused(package, problems, name):
    write(package / name, byte_code((package / "detect.py").read_bytes()))
    assert any(each.startswith(f"{name}: byte code of another Python, or") for each in problems())


@pytest.mark.parametrize(
    "content", [byte_code(b"process_document_mock()"), byte_code(b"", unchecked=False), b""]
)
def test_byte_code_that_is_not_its_sources_is_refused_because_it_would_be_run(package, problems, content):
    write(package / "__pycache__/detect.cpython-313.pyc", content)
    (problem,) = problems()
    assert problem.startswith("__pycache__/detect.cpython-313.pyc: byte code that is not its source's")


# --- imports ---


def imported(package, own, source, name="detect.py"):
    (package / name).write_text(source)
    return [each.reason for each in unresolved_imports(package, own, "x86_64")]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import mangum", "No module named 'mangum'"),
        ("from src import app", "No module named 'src'"),
        ("import tocsin.storage", "No module named 'tocsin.storage'"),
        ("from tocsin import storage", "cannot import name 'storage' from 'tocsin'"),
        (
            "from tocsin.core.words import CMEActivityTopic",
            "cannot import name 'CMEActivityTopic' from 'tocsin.core.words'",
        ),
        ("def handler():\n    import psycopg2", "No module named 'psycopg2'"),
        ("try:\n    import ujson\nexcept ImportError:\n    ujson = None", "No module named 'ujson'"),
        ("import importlib\nimportlib.import_module('worker_tasks')", "No module named 'worker_tasks'"),
        ("import distutils", "No module named 'distutils'"),
        ("import cgi", "No module named 'cgi'"),
        (
            "import sys\nif sys.version_info >= (3, 13):\n    import only_there",
            "No module named 'only_there'",
        ),
    ],
)
def test_an_import_of_ours_that_fails_in_lambda_is_found(package, own, source, reason):
    assert imported(package, own, source) == [reason]


def test_a_relative_import_is_looked_for_where_it_points(package, own):
    source = "from .core import words as w\nfrom . import gone\n"
    assert imported(package, own, source, "tocsin/__init__.py") == ["cannot import name 'gone' from 'tocsin'"]


def test_a_name_is_looked_for_in_the_package_whatever_module_of_it_is_imported_beside_it(package, own):
    write(package / "dep" / "__init__.py", "from dep import inner\n\n\ndef given(): ...\n")
    write(package / "dep" / "inner.py", "")
    assert imported(package, own, "from dep import inner, given") == []


def test_what_only_a_library_guards_or_puts_off_is_not_held_against_it(package, own):
    assert imported(package, own, "import dep") == []


def test_what_a_library_needs_at_once_is_looked_for_as_well(package, own):
    write(package / "dep" / "__init__.py", "from dep import inner\n")
    write(package / "dep" / "inner.py", "import six\n")
    assert imported(package, own, "import dep") == ["No module named 'six'"]


@pytest.mark.parametrize(
    "library",
    ["def __getattr__(name):\n    return name\n", "from json import *\n", "globals().update(fast=1)\n"],
)
def test_where_reading_cannot_tell_a_name_is_taken_to_be_there(package, own, library):
    write(package / "lazy" / "__init__.py", library)
    assert imported(package, own, "from lazy import anything") == []


def test_a_file_that_is_not_python_is_named(package, own):
    assert imported(package, own, "def :") == ["not Python: invalid syntax"]


def test_the_standard_library_is_that_of_the_runtime_whatever_python_asks():
    assert {"tomllib", "json", "zoneinfo", "graphlib"} <= STANDARD_LIBRARY
    assert not STANDARD_LIBRARY & {"distutils", "imp", "cgi", "telnetlib", "annotationlib", "compression"}
