"""One's own configuration folder: ``tocsin.toml``, ``signatures/``, ``runbooks/``, and the pack below them.

A folder like ``functions`` of a clone stands alone: it holds all signatures, and the handlers lie beside them. A folder whose
``tocsin.toml`` has one of the tables ``pack``, ``override``, ``deploy`` and ``env``, or which has no signatures, holds one's own
files only; what it does not say comes from the pack that the command brings. Whatever is deployed is put together in a build folder, never in one's own.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from tocsin.adapters.files.configuration import (
    Configuration,
    load_configuration,
    make_compiled_form,
    read_overlay_file,
    read_signature_files,
)
from tocsin.core.config.settings import FILE
from tocsin.core.problems import Problem
from tocsin.core.signatures.overlay import OWN_PREFIX, PACK_FOLDER, relocated
from tocsin.core.signatures.reader import parse_tables
from tocsin_cli.deployment_file import read_deployment, samconfig_with
from tocsin_cli.product import is_clone, product_root, work_folder

_OVER_THE_PACK = {"pack", "override", "deploy", "env"}
_STANDS_ALONE = ("detect.py", "signatures/compiled.json", "signatures/search.json")


def default_root() -> Path:
    """The configuration meant where none is named.

    That of the working directory (``tocsin.toml`` in it, or in its ``functions``), else the one that the command brings.
    """
    for here in (Path(), Path("functions")):
        if (here / FILE).is_file():
            return here
    return product_root() / "functions"


def is_deployment_root(root: Path) -> bool:
    """Whether a folder is like ``functions`` of a clone: with handlers or a compiled form beside the signatures."""
    return root.resolve().name == "functions" or any((root / name).exists() for name in _STANDS_ALONE)


def stands_alone(root: Path) -> bool:
    """Whether a folder holds all signatures itself."""
    if is_deployment_root(root):
        return True
    if not any((root / "signatures").glob("*.toml")):
        return False
    try:
        return not _OVER_THE_PACK & tomllib.loads((root / FILE).read_text("utf-8")).keys()
    except OSError:
        return True
    except ValueError:  # no TOML, which the reader says better
        return False


def is_compiled_in_place(root: Path) -> bool:
    """Whether the compiled signatures is kept beside the signatures, as in a clone; for all others it is made in the build folder."""
    return is_deployment_root(root) and (is_clone() or not root.resolve().is_relative_to(product_root()))


def pack_of(root: Path) -> Path | None:
    """The deployment root whose signatures are below those of a folder; None where it stands alone."""
    return None if stands_alone(root) else product_root() / "functions"


def read_configuration(root: Path, environ: Mapping[str, str] = os.environ) -> Configuration:
    """All configuration of a folder and of the pack below it.

    Args:
        root: The folder with ``tocsin.toml``.
        environ: Environment variables that are laid over it.

    Raises:
        ConfigurationError: With every problem, in the words of ``tocsin check``.
    """
    return load_configuration(root, environ, pack=pack_of(root))


def own_runbooks(root: Path) -> Path:
    """The folder with the runbooks that belong to a configuration folder."""
    beside = root.resolve().parent / "runbooks"
    within = not is_deployment_root(root) and ((root / "runbooks").is_dir() or not stands_alone(root))
    return root / "runbooks" if within else beside


def runbook_pages(root: Path, own: Path | None = None) -> dict[str, Path]:
    """Every runbook by its file name, one's own before those of the pack.

    Args:
        root: The configuration folder.
        own: Another folder with one's own runbooks.
    """
    folders = [] if stands_alone(root) else [product_root() / "runbooks"]
    return {
        page.name: page
        for folder in (*folders, own or own_runbooks(root))
        for page in sorted(folder.glob("*.md"))
    }


def file_of(name: str, root: Path) -> Path:
    """Where a file lies that a problem names: below the configuration folder, or in the pack."""
    if name.startswith(f"{PACK_FOLDER}/"):
        return product_root() / "functions" / "signatures" / name.removeprefix(f"{PACK_FOLDER}/")
    return root / name


def as_overridden(problems: list[Problem], root: Path) -> list[Problem]:
    """Problems of the proof, those that an override made said of the override."""
    overlay, _ = read_overlay_file(root)
    if overlay is None:
        return problems
    texts, _ = read_signature_files(root, pack=pack_of(root))
    tables, _ = parse_tables(texts)
    return [relocated(problem, overlay, tables) for problem in problems]


def staged_name(file: Path) -> str:
    """The name of a file of one's own signatures in what is built, where no file of a pack can have it."""
    return file.name if file.name.startswith(OWN_PREFIX) else OWN_PREFIX + file.name


def project_of(root: Path, environment: str = "") -> Path:
    """The folder with ``template.yaml``, ``samconfig.toml`` and ``functions`` that is built and deployed.

    That of a clone itself; for every other configuration one that is put together in ``.tocsin/build``.

    Args:
        root: The configuration folder; what it holds is right (`tocsin check`).
        environment: The name of a further environment in ``tocsin.toml``.
    """
    own = root.resolve()
    if is_clone() and own == product_root() / "functions":
        return product_root()
    if own.name == "functions" and (own.parent / "template.yaml").is_file() and own.parent != product_root():
        return own.parent
    if own == product_root() / "functions":
        return stage(root, work_folder() / "product", environment)
    return stage(root, own / ".tocsin" / "build", environment)


def is_staged(project: Path) -> bool:
    """Whether a project was put together, and so is no folder that people edit or keep in git."""
    return project.parent.name == ".tocsin"


def stage(root: Path, target: Path, environment: str = "") -> Path:
    """Put the pack, one's own files and the code together, and compile them; what was built there before stays.

    Args:
        root: The configuration folder.
        target: Where to.
        environment: The name of a further environment in ``tocsin.toml``.

    Returns:
        ``target``.
    """
    target.mkdir(parents=True, exist_ok=True)
    _copy(product_root() / "template.yaml", target / "template.yaml")
    samconfig = (product_root() / "samconfig.toml").read_text("utf-8")
    (target / "samconfig.toml").write_text(
        samconfig_with(samconfig, read_deployment(root, environment)), "utf-8"
    )
    functions, pack = target / "functions", product_root() / "functions"
    alone = stands_alone(root)
    wanted = {
        path.relative_to(pack): path
        for path in _files(pack)
        if path.suffix != ".json" and not (alone and path.parent == pack / "signatures")
    }
    wanted |= {
        Path("signatures") / (path.name if alone else staged_name(path)): path
        for path in (root / "signatures").glob("*.toml")
    }
    wanted[Path(FILE)] = root / FILE
    for path in _files(functions):
        if path.relative_to(functions) not in wanted and path.suffix != ".json":
            path.unlink()
    for name, path in wanted.items():
        _copy(path, functions / name)
    make_compiled_form(functions)
    return target


def _files(folder: Path) -> list[Path]:
    return [
        path
        for path in folder.rglob("*")
        if path.is_file()
        and not {"__pycache__", "tocsin.egg-info"} & {*path.relative_to(folder).parts}
        and not re.match(r"\.", path.name)
    ]


def _copy(source: Path, target: Path) -> None:
    """Copy what changed: an unchanged file keeps its time, by which sam knows that nothing is to be built."""
    content = source.read_bytes()
    if not target.is_file() or target.read_bytes() != content:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
