"""How the Lambda package is made: what ships of this folder, what pip fetches for Lambda's platform, nothing else.

`sam build` runs this through the Makefile, with any Python from 3.11 on, on any operating system, without Docker. The
package runs on both processors: compiled modules carry the processor in their file names
(``_re2.cpython-313-aarch64-linux-gnu.so``), so both sets lie side by side and Python takes the one that fits. A package
built on a laptop of one kind never breaks a function of the other kind.

A folder in which something else lies is refused: packages that were installed here for another platform would be shipped,
and imported in place of those that pip fetches. It ships none of itself.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

RUNTIME = "3.13"
MACHINES = ("x86_64", "aarch64")
"""As wheels and Linux call the processors."""
ARCHITECTURES = {"x86_64": "x86_64", "arm64": "aarch64"}
"""As Lambda calls them."""
PLATFORMS = ("manylinux_2_28", "manylinux2014")
"""What runs on Amazon Linux 2023, whose glibc is 2.34."""

HANDLERS = ("detect.py", "notify.py", "reconcile.py", "respond.py")
SHIPPED = {*HANDLERS, "tocsin.toml"}
ONLY_FOR_THE_BUILD = {"Makefile", "requirements.txt", "requirements.lock", Path(__file__).name}
INSTALLED_AT = "/var/task"
"""Where Lambda unpacks the package; what byte code says of its source, wherever it was built."""
SIGNATURE_FILES = {".toml", ".json"}
LEFT_OUT = {"__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".DS_Store", "tocsin.egg-info"}
"""What Python and the tools leave here by themselves: never packaged, and so no reason to refuse."""

_RUNTIMES = {"boto3", "botocore", "s3transfer", "awscli"}
_COMPILED = {".so", ".pyd", ".dylib", ".dll"}
_RECORDS = {".dist-info", ".egg-info", ".egg", ".whl", ".pth"}
_ENVIRONMENTS = {
    "site-packages",
    "dist-packages",
    "lib",
    "lib64",
    "venv",
    ".venv",
    "env",
    "node_modules",
    "vendor",
}
_PIP_MISSING = (
    "pip could not fetch the dependencies; its own words are above. Is the network there, and pip in "
)

READS_CONFIGURATION = ("google-re2==", "msgspec==")
"""The dependencies without which no configuration is read."""
_LOCKED = re.compile(rf"(?m)^(?:{'|'.join(READS_CONFIGURATION)})(?:.*\\\n)*.*\n")
_MAKE_FORM = """
import sys
from pathlib import Path
sys.path[:] = [sys.argv[1], *sys.path, sys.argv[3]]
from tocsin.adapters.files.configuration import make_compiled_form
from tocsin.core.problems import ConfigurationError
try:
    make_compiled_form(Path(sys.argv[2]))
except ConfigurationError as error:
    sys.exit(str(error))
"""


class PackagingError(Exception):
    """The package cannot be made; the message says what to do."""


def own_files(root: Path) -> list[PurePosixPath]:
    """What ships of this folder, relative to it.

    Args:
        root: The deployment root.
    """
    return sorted(path for path in _files(root) if _ships(path))


def strays(root: Path) -> list[tuple[PurePosixPath, str]]:
    """What lies in the folder and does not belong there, and why it is in the way.

    Args:
        root: The deployment root.

    Returns:
        Pairs of a path relative to the folder (of a whole strange folder only its own) and a reason.
    """
    found: dict[PurePosixPath, str] = {}
    for path in _files(root):
        if (root / path).is_symlink():
            found[path] = "a link: what it leads to is not packaged"
        elif not _ships(path) and str(path) not in ONLY_FOR_THE_BUILD:
            top = (
                path
                if len(path.parts) == 1 or path.parts[0] in {"tocsin", "signatures"}
                else PurePosixPath(path.parts[0])
            )
            found.setdefault(top, _why(top if top != path else path))
    return sorted(found.items())


def refusal(found: Sequence[tuple[PurePosixPath, str]], root: Path) -> str:
    """What to say about a folder with strays."""
    lines = [f"{root / path}: {why}" for path, why in found]
    closing = (
        f"not packaged: what is named above lies in {root} and does not belong there ({len(found)}). Move or delete it: "
        "dependencies go into requirements.txt and are fetched for Lambda's platform, never installed into the folder. "
        f"To see what git does not know: git status --ignored {root}"
    )
    return "\n".join([*lines, closing])


def make_package(root: Path, target: Path, machines: Sequence[str] = MACHINES) -> None:
    """Fill a folder with all that a function needs.

    Args:
        root: The deployment root.
        target: Where the package goes.
        machines: The processors it must run on.

    Raises:
        PackagingError: The folder is polluted, its configuration is wrong, or pip cannot fetch a dependency for Lambda's
            platform.
    """
    found = strays(root)
    if found:
        raise PackagingError(refusal(found, root))
    target.mkdir(parents=True, exist_ok=True)
    for machine in machines:
        shutil.copytree(_fetched(root / "requirements.lock", machine), target, dirs_exist_ok=True)
    for path in own_files(root):
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / path, target / path)
    make_compiled_form(root, target)
    _compile(target)


def _files(root: Path) -> Iterator[PurePosixPath]:
    """All files and links below the folder, without what is left out anyway."""
    for folder, folders, files in os.walk(root):
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        folders[:] = sorted({*folders} - LEFT_OUT - {*links})
        for name in sorted({*files, *links} - LEFT_OUT):
            yield PurePosixPath((Path(folder) / name).relative_to(root).as_posix())


def _ships(path: PurePosixPath) -> bool:
    if len(path.parts) == 1:
        return path.name in SHIPPED
    if path.parts[0] == "signatures":
        return len(path.parts) == 2 and path.suffix in SIGNATURE_FILES  # directly in it
    return path.parts[0] == "tocsin" and path.suffix == ".py" and not {*path.parts[:-1]} & _ENVIRONMENTS


def _why(path: PurePosixPath) -> str:
    name = path.name
    if name.split("-")[0] in _RUNTIMES:
        return "Lambda's runtime brings it; a second one of another version breaks imports"
    if path.suffix in _RECORDS:
        return "the record of a package that was installed into this folder, perhaps for another platform"
    if path.suffix in _COMPILED:
        return "compiled, perhaps for another platform"
    if {*path.parts} & _ENVIRONMENTS:
        return "looks like a folder of installed packages"
    if path.suffix in {".pyc", ".pyo"}:
        return "byte code beside sources would be run in place of them"
    if path.suffix == ".py" and len(path.parts) == 1:
        return f"no handler ({', '.join(HANDLERS)}); it would be imported in place of a package of its name"
    return "not a part of the package"


def platform_options(machine: str) -> list[str]:
    """What makes pip choose wheels for Lambda: its Python, its Linux and one processor."""
    platforms = [f"--platform={platform}_{machine}" for platform in PLATFORMS]
    return ["--only-binary=:all:", "--implementation=cp", f"--python-version={RUNTIME}", *platforms]


def _fetched(locked: Path, machine: str) -> Path:
    """The dependencies for a processor as pip installs them; kept, for they are the same for every function and build."""
    wanted = hashlib.sha256(repr((locked.read_bytes(), platform_options(machine))).encode()).hexdigest()
    kept = _cache() / f"{machine}-{wanted[:16]}"
    if not kept.is_dir():
        with tempfile.TemporaryDirectory(prefix="fetching-", dir=_cache()) as fetching:
            target = Path(fetching) / "packages"
            _install(locked, target, platform_options(machine), machine)
            shutil.rmtree(target / "bin", ignore_errors=True)
            for record in target.glob("*.dist-info/RECORD"):
                _forget_scripts(record)
            try:
                target.rename(kept)  # all of it or nothing
            except OSError:
                if not kept.is_dir():  # or another build was faster
                    raise
    return kept


def _cache() -> Path:
    """Where fetched dependencies are kept: the user's own folder, which nobody else can put anything into."""
    home = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or Path.home() / ".cache"
    cache = Path(home) / "tocsin"
    try:
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise PackagingError(
            f"{cache}: {error.strerror}; set XDG_CACHE_HOME to a folder that can be written"
        ) from error
    return cache


def _install(locked: Path, target: Path, options: Sequence[str], whom: str) -> None:
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-compile",
    ]
    chosen = [*options, "--require-hashes", f"--target={target}", f"--requirement={locked}"]
    if subprocess.run([*command, *chosen], check=False).returncode:
        raise PackagingError(f"{whom}: {_PIP_MISSING}{sys.executable}?")


def _forget_scripts(record: Path) -> None:
    """Scripts name the Python that built them, and so do their hashes; neither ships."""
    lines = record.read_text("utf-8").splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith(("../", "bin/"))]
    record.write_bytes("".join(kept).encode())


def _compile(target: Path) -> None:
    """Byte code, which saves about half of a cold start.

    It must be the runtime's own Python that writes it, and it must not be checked against time stamps, which packaging
    changes; without that Python the package goes without. It names its sources as they will lie in Lambda, not where
    they were built: the same sources make the same bytes anywhere.
    """
    name = f"python{RUNTIME}"
    for python in filter(None, (sys.executable, shutil.which(name))):
        ask = [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        answer = subprocess.run(ask, capture_output=True, text=True, check=False)
        if answer.returncode == 0 and answer.stdout.strip() == RUNTIME:
            names = ["-s", str(target), "-p", INSTALLED_AT]
            compiling = [
                "-m",
                "compileall",
                "-q",
                "--invalidation-mode",
                "unchecked-hash",
                *names,
                str(target),
            ]
            environment = {**os.environ, "PYTHONHASHSEED": "0"}  # the order in which sets are written
            subprocess.run([python, *compiling], env=environment, check=False)
            return


def main(arguments: Sequence[str]) -> int:
    """Make the package in the folder named; ``TOCSIN_ARCHITECTURE`` may choose one processor."""
    root = Path(__file__).resolve().parent
    try:
        machines = chosen_machines(os.environ.get("TOCSIN_ARCHITECTURE", ""))
        make_package(root, Path(arguments[0]), machines)
    except PackagingError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def make_compiled_form(root: Path, target: Path) -> None:
    """Make the compiled form of what is packaged, where the one that came with it does not fit.

    Args:
        root: The deployment root, whose code makes it.
        target: The package, with all that it needs.

    Raises:
        PackagingError: The configuration is wrong, or pip cannot fetch what reads it for this Python.
    """
    from tocsin.adapters.files.compiled_search import stale_files

    stale = stale_files(target)
    if not stale:
        return
    with tempfile.TemporaryDirectory(prefix="tocsin-package-") as fetched:
        if not all(map(find_spec, ("msgspec", "re2"))):
            # A Python that has nothing of Tocsin: what reads the configuration is fetched for it too, by its hash.
            locked = Path(fetched) / "requirements.lock"
            locked.write_text(
                "".join(_LOCKED.findall((root / "requirements.lock").read_text("utf-8"))), "utf-8"
            )
            _install(locked, Path(fetched), ["--only-binary=:all:", "--no-deps"], sys.executable)
        making = [sys.executable, "-B", "-c", _MAKE_FORM, str(root), str(target), fetched]
        done = subprocess.run(making, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PackagingError(f"not packaged: {' and '.join(stale)} cannot be made:\n{done.stderr.strip()}")


def chosen_machines(architecture: str) -> Sequence[str]:
    """The processors to build for, in the names of wheels.

    Args:
        architecture: As Lambda calls it; empty for both.

    Raises:
        PackagingError: Lambda has no such one.
    """
    if not architecture:
        return MACHINES
    if architecture not in ARCHITECTURES:
        raise PackagingError(f"{architecture!r} is no architecture of Lambda's: {', '.join(ARCHITECTURES)}")
    return (ARCHITECTURES[architecture],)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
