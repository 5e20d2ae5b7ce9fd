"""The function folder is refused with anything in it that would be shipped by mistake; what tools leave is passed over."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import lambda_package
from tocsin.adapters.files.compiled_search import COMPILED, COMPILED_SEARCH, compiled_search
from tocsin.adapters.files.configuration import packaged_configuration
from tocsin_cli.commands.build import refuse_pollution
from tocsin_cli.package.sam import BuildError

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def functions(tmp_path):
    """A copy of the real folder, in a git repository of its own."""
    root = tmp_path / "functions"
    shutil.copytree(
        ROOT / "functions", root, ignore=shutil.ignore_patterns("__pycache__", ".*", "*.egg-info")
    )
    for command in (["init", "-q"], ["add", "functions"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    return root


def plant(root, name, content=b""):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def test_the_folder_as_it_is_in_git_is_clean(functions):
    assert lambda_package.strays(functions) == []
    refuse_pollution(functions)


def test_everything_in_git_is_either_shipped_or_there_for_the_build(functions):
    named = subprocess.run(
        ["git", "ls-files"], cwd=functions, capture_output=True, text=True, check=True
    ).stdout.split()
    shipped = {str(path) for path in lambda_package.own_files(functions)}
    assert set(named) - shipped == lambda_package.ONLY_FOR_THE_BUILD
    assert shipped <= set(named)


@pytest.mark.parametrize(
    ("planted", "named", "why"),
    [
        ("boto3/__init__.py", "boto3", "Lambda's runtime brings it"),
        ("botocore/data/x.json", "botocore", "Lambda's runtime brings it"),
        ("boto3-1.40.0.dist-info/RECORD", "boto3-1.40.0.dist-info", "Lambda's runtime brings it"),
        ("requests-2.32.0.dist-info/METADATA", "requests-2.32.0.dist-info", "record of a package"),
        ("certifi/cacert.pem", "certifi", "not a part of the package"),
        ("six.py", "six.py", "imported in place of a package of its name"),
        ("_cffi_backend.cpython-311-darwin.so", "_cffi_backend.cpython-311-darwin.so", "another platform"),
        ("tocsin/core/_fast.pyd", "tocsin/core/_fast.pyd", "another platform"),
        ("tocsin/libfast.dylib", "tocsin/libfast.dylib", "another platform"),
        ("lib/python3.11/site-packages/x.py", "lib", "folder of installed packages"),
        ("tocsin/vendor/requests/api.py", "tocsin/vendor/requests/api.py", "folder of installed packages"),
        (".venv/pyvenv.cfg", ".venv", "folder of installed packages"),
        ("detect.pyc", "detect.pyc", "byte code beside sources"),
        ("tocsin/core/model.pyc", "tocsin/core/model.pyc", "byte code beside sources"),
        (".env", ".env", "not a part of the package"),
        ("notes.txt", "notes.txt", "not a part of the package"),
        ("tocsin/core/model.py.orig", "tocsin/core/model.py.orig", "not a part of the package"),
        ("signatures/lambda.toml.bak", "signatures/lambda.toml.bak", "not a part of the package"),
    ],
)
def test_what_does_not_belong_there_is_refused_by_name_and_reason(functions, planted, named, why):
    plant(functions, planted)
    ((found, reason),) = lambda_package.strays(functions)
    assert (str(found), why in reason) == (named, True), reason
    with pytest.raises(BuildError) as refused:
        refuse_pollution(functions)
    assert str(functions / named) in str(refused.value)
    assert "Move or delete it" in str(refused.value)


def test_a_link_is_refused_because_what_it_leads_to_would_be_missing(functions, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (functions / "tocsin" / "elsewhere").symlink_to(tmp_path / "elsewhere")
    ((found, reason),) = lambda_package.strays(functions)
    assert str(found) == "tocsin/elsewhere"
    assert "a link" in reason


@pytest.mark.parametrize("made", ["__pycache__/detect.cpython-311.pyc", "tocsin/core/__pycache__/gone.cpython-311.pyc",
                                  ".mypy_cache/x", "tocsin.egg-info/PKG-INFO", "tocsin/.DS_Store"])  # fmt: skip
def test_what_tools_leave_by_themselves_is_no_reason_to_refuse_and_never_ships(functions, made):
    before = lambda_package.own_files(functions)
    plant(functions, made)
    assert lambda_package.strays(functions) == []
    assert lambda_package.own_files(functions) == before


@pytest.mark.parametrize("name", ["tocsin/core/forgotten.py", "signatures/mine.toml"])
def test_what_would_ship_and_is_not_in_git_is_refused(functions, name):
    plant(functions, name)
    with pytest.raises(BuildError, match=rf"{name}: not in git; add it"):
        refuse_pollution(functions)
    subprocess.run(["git", "add", name], cwd=functions, check=True)
    refuse_pollution(functions)


def test_what_is_in_git_and_missing_here_is_refused(functions):
    (functions / "tocsin" / "core" / "redaction" / "redact.py").unlink()
    with pytest.raises(BuildError, match=r"redact\.py: in git, and missing here"):
        refuse_pollution(functions)


def test_sam_build_itself_refuses_a_polluted_folder_and_fetches_nothing(functions, tmp_path):
    plant(functions, "six.py")
    with pytest.raises(lambda_package.PackagingError, match=r"six\.py.*"):
        lambda_package.make_package(functions, tmp_path / "package")
    assert not (tmp_path / "package").exists()


def test_an_architecture_that_lambda_does_not_have_is_refused(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("TOCSIN_ARCHITECTURE", "riscv64")
    assert lambda_package.main([str(tmp_path)]) == 1
    assert "no architecture of Lambda's: x86_64, arm64" in capsys.readouterr().err


def test_byte_code_is_the_same_wherever_it_was_built(tmp_path, monkeypatch):
    """With this Python in place of Lambda's, so that it can be tried anywhere."""
    monkeypatch.setattr(lambda_package, "RUNTIME", ".".join(map(str, sys.version_info[:2])))
    built = []
    for folder in (tmp_path / "one", tmp_path / "another" / "much deeper"):
        shutil.copytree(
            ROOT / "functions" / "tocsin" / "core", folder, ignore=shutil.ignore_patterns("__pycache__")
        )
        lambda_package._compile(folder)
        built.append(
            {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        )
    assert built[0] == built[1]
    code = [content for name, content in built[0].items() if name.endswith(".pyc")]
    assert len(code) > 20
    assert all(str(tmp_path).encode() not in content for content in code)
    assert any(b"/var/task/" in content for content in code)


@pytest.fixture
def wheels(tmp_path, monkeypatch):
    """A package index of one wheel, which pip finds without a network; with the lock's line for it."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    wheel = folder / "plutonium-1.0-py3-none-any.whl"
    record = "plutonium-1.0.dist-info"
    files = {
        "plutonium/__init__.py": "GRAMS = {'one', 'two', 'three'}\n",
        f"{record}/METADATA": "Metadata-Version: 2.1\nName: plutonium\nVersion: 1.0\n",
        f"{record}/WHEEL": "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{record}/entry_points.txt": "[console_scripts]\nplutonium = plutonium:GRAMS\n",
    }
    listed = "".join(f"{name},,\n" for name in [*files, f"{record}/RECORD"])
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in {**files, f"{record}/RECORD": listed}.items():
            archive.writestr(name, text)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return f"plutonium==1.0 --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"


def package(functions, target):
    lambda_package.make_package(functions, target)
    return {
        str(path.relative_to(target)): (path.read_bytes(), path.stat().st_mode & 0o777)
        for path in sorted(target.rglob("*"))
        if path.is_file()
    }


def test_two_builds_in_two_folders_are_the_same_byte_for_byte(functions, wheels, tmp_path, monkeypatch):
    """With this Python in place of Lambda's, so that it can be tried anywhere."""
    monkeypatch.setattr(lambda_package, "RUNTIME", ".".join(map(str, sys.version_info[:2])))
    (functions / "requirements.lock").write_text(wheels, "utf-8")
    elsewhere = tmp_path / "somebody" / "else" / "s checkout"
    shutil.copytree(functions, elsewhere)
    one = package(functions, tmp_path / "one")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache of somebody else"))
    another = package(elsewhere, tmp_path / "deep" / "down" / "another")
    assert one == another
    assert {"detect.py", "respond.py", "plutonium/__init__.py", "tocsin/bootstrap.py"} <= set(one)
    assert sum(name.endswith(".pyc") for name in one) > 100
    for name, (content, _) in one.items():
        assert str(tmp_path).encode() not in content, name
    assert not [name for name in one if name.startswith("bin/")]


def test_a_wheel_of_another_hash_is_refused_and_so_is_one_without(functions, wheels, tmp_path):
    for line in (wheels.replace("sha256:", "sha256:0")[:-2] + "\n", "plutonium==1.0\n"):
        (functions / "requirements.lock").write_text(line, "utf-8")
        with pytest.raises(lambda_package.PackagingError):
            package(functions, tmp_path / "refused")
        assert not (tmp_path / "refused" / "plutonium").exists()


def test_dependencies_are_fetched_once_for_all_functions_and_builds(functions, wheels, tmp_path, monkeypatch):
    (functions / "requirements.lock").write_text(wheels, "utf-8")
    first = package(functions, tmp_path / "detect")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nothing here"))
    assert package(functions, tmp_path / "notify") == first
    # What the lock says otherwise is another matter: it is fetched, and here there is nothing to fetch from.
    (functions / "requirements.lock").write_text("# changed\n" + wheels, "utf-8")
    with pytest.raises(lambda_package.PackagingError):
        package(functions, tmp_path / "later")


def test_what_could_not_be_fetched_whole_is_not_kept(functions, wheels, tmp_path, monkeypatch):
    (functions / "requirements.lock").write_text(wheels + "uranium==1.0 --hash=sha256:00\n", "utf-8")
    with pytest.raises(lambda_package.PackagingError):
        package(functions, tmp_path / "refused")
    assert list((tmp_path / "cache" / "tocsin").iterdir()) == []


def test_a_cache_that_cannot_be_written_is_named(functions, wheels, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(
        lambda_package.PackagingError, match=r"file/tocsin: Not a directory; set XDG_CACHE_HOME"
    ):
        package(functions, tmp_path / "package")


def test_two_builds_that_fetch_at_the_same_time_do_not_disturb_each_other(
    functions, wheels, tmp_path, monkeypatch
):
    (functions / "requirements.lock").write_text(wheels, "utf-8")
    install, other = lambda_package._install, []

    def meanwhile(*arguments):
        install(*arguments)
        monkeypatch.setattr(lambda_package, "_install", install)
        other.append(package(functions, tmp_path / "the other"))

    monkeypatch.setattr(lambda_package, "_install", meanwhile)
    assert [package(functions, tmp_path / "one")] == other
    assert len(list((tmp_path / "cache" / "tocsin").iterdir())) == len(lambda_package.MACHINES)


def test_the_lock_names_what_requirements_ask_for_and_every_wheel_by_its_hash():
    def pinned(name):
        text = (ROOT / "functions" / name).read_text("utf-8")
        return set(re.findall(r"(?m)^([A-Za-z0-9._-]+==[^\s\\]+)", text)), text

    asked, _ = pinned("requirements.txt")
    locked, text = pinned("requirements.lock")
    assert asked <= locked
    assert all("--hash=sha256:" in part for part in re.split(r"(?m)^(?=[a-z])", text)[1:])
    assert not {name.partition("==")[0] for name in locked} & {"boto3", "botocore", "s3transfer"}


def test_the_record_of_a_wheel_forgets_scripts_that_name_the_python_that_built_them(tmp_path):
    record = tmp_path / "RECORD"
    record.write_text("idna/core.py,sha256=x,1\n../../bin/idna,sha256=y,2\n", "utf-8")
    lambda_package._forget_scripts(record)
    assert record.read_text("utf-8") == "idna/core.py,sha256=x,1\n"


@pytest.mark.parametrize(
    "change", ["form away", "search away", "signature changed", "settings changed", "code changed"]
)
def test_a_bare_build_makes_the_compiled_form_of_exactly_what_it_packages(
    functions, wheels, change, tmp_path
):
    (functions / "requirements.lock").write_text(wheels, "utf-8")
    match change:
        case "form away":
            (functions / COMPILED).unlink()
        case "search away":
            (functions / COMPILED_SEARCH).unlink()
        case "signature changed":
            edited = functions / "signatures" / "lambda.toml"
            edited.write_text(edited.read_text("utf-8").replace("Task timed out", "Work timed out"), "utf-8")
        case "settings changed":
            with (functions / "tocsin.toml").open("a") as file:
                file.write('[override.lambda-timeout]\nseverity = "low"\n')
        case _:
            with (functions / "tocsin" / "core" / "signatures" / "literals.py").open("a") as file:
                file.write("# changed\n")
    before = {path: path.read_bytes() for path in functions.rglob("*") if path.is_file()}
    # As the Makefile runs it, with a Python that has the dependencies; without Lambda's, which would write byte code.
    target = tmp_path / "package"
    done = subprocess.run(
        [sys.executable, "lambda_package.py", str(target)],
        cwd=functions, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PATH": str(tmp_path), "TOCSIN_ARCHITECTURE": "x86_64"},
    )  # fmt: skip
    if (
        change == "signature changed"
    ):  # its samples are no longer recognised, which tocsin check says; it can be read
        assert "Work(?:" in json.loads((target / COMPILED_SEARCH).read_text("utf-8"))["expression"]
    assert (done.returncode, done.stderr) == (0, "")
    packaged_configuration(target, {})
    assert compiled_search(target)
    looking = "from pathlib import Path; from tocsin.adapters.files.compiled_search import stale_files; print(stale_files(Path()))"
    seen = subprocess.run(
        [sys.executable, "-c", looking], cwd=target, capture_output=True, text=True, check=True
    )
    assert seen.stdout == "[]\n"
    assert {path: path.read_bytes() for path in functions.rglob("*") if path.is_file()} == before


def test_settings_that_are_wrong_are_not_packaged_and_the_words_are_those_of_the_check(
    functions, wheels, tmp_path
):
    (functions / "requirements.lock").write_text(wheels, "utf-8")
    with (functions / "tocsin.toml").open("a") as file:
        file.write('[override.lambda-timeout]\nseverity = "bad"\n')
    with pytest.raises(lambda_package.PackagingError) as caught:
        lambda_package.make_package(functions, tmp_path / "package", ["x86_64"])
    assert f"not packaged: {COMPILED} and {COMPILED_SEARCH} cannot be made" in str(caught.value)
    assert "tocsin.toml: override.lambda-timeout.severity: " in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_a_python_without_tocsin_fetches_what_reads_the_configuration_by_its_hash_and_only_that(
    functions, tmp_path, monkeypatch
):
    fetched = []

    def install(locked, target, options, whom):
        assert whom == sys.executable
        assert not [option for option in options if option.startswith(("--platform", "--python-version"))]
        fetched.append(locked.read_text("utf-8"))

    monkeypatch.setattr(lambda_package, "find_spec", lambda name: None)
    monkeypatch.setattr(lambda_package, "_install", install)
    lambda_package.make_compiled_form(functions, functions)
    assert fetched == [], "it fits: nothing is needed"
    (functions / COMPILED).unlink()
    lambda_package.make_compiled_form(functions, functions)
    assert packaged_configuration(functions, {}).signatures
    (asked,) = fetched
    assert re.findall(r"(?m)^([\w-]+)==", asked) == ["google-re2", "msgspec"]
    locked = (functions / "requirements.lock").read_text("utf-8")
    assert all(line in locked.splitlines() for line in asked.splitlines())
    for name in ("google-re2", "msgspec"):
        hashes = re.search(rf"(?m)^{name}==(?:.*\\\n)+.*", asked)[0].count("--hash=sha256:")
        assert hashes > 10, "two processors of Lambda's alone: nobody's laptop would be served"


def test_what_cannot_be_fetched_is_said_with_the_python_that_it_was_for(functions, monkeypatch):
    monkeypatch.setattr(lambda_package, "find_spec", lambda name: None)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    (functions / COMPILED).unlink()
    with pytest.raises(
        lambda_package.PackagingError, match=re.escape(f"{sys.executable}: pip could not fetch")
    ):
        lambda_package.make_compiled_form(functions, functions)
