"""Is a built package what it should be: every file of ours, nothing that Lambda brings, nothing for another machine?"""

from __future__ import annotations

import _imp  # for _imp.source_hash: importlib.util's knows its own Python's byte code only
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from tocsin.adapters.files.compiled_search import COMPILED, COMPILED_SEARCH, stale_files
from tocsin_cli.package.elf import compiled
from tocsin_cli.package.imports import unresolved_imports

MAX_PACKAGE_SIZE = 60 * 1024 * 1024
"""Bytes, unpacked. Lambda takes 250 MB; what is several times as large as today's package (10 MB) is a mistake."""
BYTE_CODE = "cpython-313"

_BROUGHT = re.compile(r"(boto3|botocore|s3transfer|awscli|awslambdaric)([-.].*)?")
_MADE_BY_THE_BUILD = {COMPILED, COMPILED_SEARCH}
_FOREIGN = {".pyd", ".dylib", ".dll", ".exe"}
_HEADER = 16


def package_problems(package: Path, root: Path, own: Sequence[str], machines: Sequence[str]) -> list[str]:
    """Everything that is wrong with a package, each with what to do.

    Args:
        package: The folder that becomes the function's code.
        root: The deployment root that it was built from.
        own: The files of that root that ship, relative to it.
        machines: The processors it must run on, ``x86_64`` and ``aarch64``.
    """
    if not package.is_dir():
        return [f"{package}: there is no such folder: make build"]
    return [
        *_own_files(package, root, own),
        *_stale_signatures(package),
        *_what_does_not_belong(package, own),
        *_compiled(package, machines),
        *_byte_code(package),
        *_imports(package, own, machines),
        *_size(package),
    ]


def size_of(package: Path) -> int:
    """Bytes in a package, unpacked."""
    return sum(path.stat().st_size for path in package.rglob("*") if path.is_file())


def _own_files(package: Path, root: Path, own: Sequence[str]) -> Iterator[str]:
    for file in sorted({*own} - _MADE_BY_THE_BUILD):
        built = package / file
        if not built.is_file():
            yield f"{file}: missing in the package: make build"
        elif built.read_bytes() != (root / file).read_bytes():
            yield f"{file}: is another one in the package than in {root}: it was changed since: make build"
    for needed in ("tocsin.toml", "detect.py", "notify.py", "reconcile.py", "respond.py"):
        if needed not in own:
            yield f"{needed}: missing in {root}: git checkout"


def _stale_signatures(package: Path) -> Iterator[str]:
    """The compiled form must fit, else no cold start succeeds."""
    for name in stale_files(package):
        yield f"{name}: missing, or made for other signatures, settings or code: build again"


def _what_does_not_belong(package: Path, own: Sequence[str]) -> Iterator[str]:
    shipped = {*own} | _MADE_BY_THE_BUILD
    for path in sorted(package.iterdir()):
        if _BROUGHT.fullmatch(path.name):
            yield f"{path.name}: Lambda's runtime brings it; remove from requirements.txt what pulled it in"
    for path in sorted(package.rglob("*")):
        name = path.relative_to(package).as_posix()
        if path.suffix in _FOREIGN:
            yield f"{name}: not for Linux: is requirements.txt the only source of packages?"
        elif path.is_symlink():
            yield f"{name}: a link, which Lambda does not follow"
        elif name.startswith(("tocsin/", "signatures/")) and path.is_file() and name not in shipped:
            if "__pycache__" not in path.parts:
                yield f"{name}: not one of our files: is it left over? rm -r .aws-sam, then make build"
        elif "site-packages" in path.parts and path.is_dir():
            yield f"{name}: an environment was packaged: rm -r .aws-sam, then make build"


def _compiled(package: Path, machines: Sequence[str]) -> Iterator[str]:
    for path in sorted(path for path in package.rglob("*.so*") if re.search(r"\.so(\.\d+)*$", path.name)):
        name = path.relative_to(package).as_posix()
        judged = compiled(path.read_bytes())
        if judged.problem:
            yield f"{name}: {judged.problem}: rm -r .aws-sam, then make build"
            continue
        says = re.search(r"\.cpython-(\d+)\w*-(x86_64|aarch64)-linux-gnu\.so$", path.name)
        if says and says[1] != BYTE_CODE.removeprefix("cpython-"):
            yield f"{name}: compiled for CPython {says[1]}, and the runtime is python3.13"
        if says and says[2] != judged.machine:
            yield f"{name}: its name says {says[2]}, its content is for {judged.machine}"
        if judged.machine not in machines:
            yield f"{name}: for {judged.machine}, and the functions run on {', '.join(machines)}"


def _byte_code(package: Path) -> Iterator[str]:
    """Byte code is run unchecked, so it must be the source's own."""
    for path in sorted(package.rglob("*.pyc")):
        name = path.relative_to(package).as_posix()
        source = path.parent.parent / f"{path.name.partition('.')[0]}.py"
        if path.parent.name != "__pycache__" or f".{BYTE_CODE}" not in path.name or not source.is_file():
            yield f"{name}: byte code of another Python, or of a module that is gone: rm -r .aws-sam, then make build"
            continue
        head = path.read_bytes()[:_HEADER]
        flags, stored = int.from_bytes(head[4:8], "little"), head[8:16]
        if (
            not flags & 1
            or _imp.source_hash(int.from_bytes(head[:4], "little"), source.read_bytes()) != stored
        ):
            yield f"{name}: byte code that is not its source's: rm -r .aws-sam, then make build"


def _imports(package: Path, own: Sequence[str], machines: Sequence[str]) -> Iterator[str]:
    found: dict[str, list[str]] = {}
    for machine in machines:
        for each in unresolved_imports(
            package, [file for file in own if (package / file).is_file()], machine
        ):
            found.setdefault(f"{each.file}:{each.line}: {each.reason}", []).append(machine)
    for text, failing in found.items():
        yield f"{text} on {' and '.join(failing)}: is it in requirements.txt, or in git?"


def _size(package: Path) -> Iterator[str]:
    if (size := size_of(package)) > MAX_PACKAGE_SIZE:
        yield f"{package.name}: {size // 2**20} MB unpacked, and {MAX_PACKAGE_SIZE // 2**20} MB would already be a mistake"
