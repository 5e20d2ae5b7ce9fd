"""The configuration as it was at a git reference."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tocsin.adapters.files.configuration import Configuration, load_configuration
from tocsin.core.config.settings import FILE
from tocsin.core.problems import ConfigurationError, Problem
from tocsin_cli.configuration_folder import pack_of


def configuration_at(ref: str, root: Path, overrides: Mapping[str, str]) -> Configuration:
    """Load ``tocsin.toml`` and ``signatures/*.toml`` of a git reference.

    Args:
        ref: A branch, tag or commit.
        root: The deployment root in a work tree.
        overrides: Environment variables that are laid over ``tocsin.toml``.

    Raises:
        ConfigurationError: There is no such reference, or what it holds is not valid for this version of Tocsin.
    """
    names = [
        name
        for name in _git(root, ref, "ls-tree", "--name-only", ref, "./signatures/").splitlines()
        if name.endswith(".toml")
    ]
    with tempfile.TemporaryDirectory() as folder:
        old = Path(folder)
        (old / "signatures").mkdir()
        for name in (*names, FILE):
            (old / name).write_text(_git(root, ref, "show", f"{ref}:./{name}"), "utf-8")
        try:
            return load_configuration(old, overrides, pack=pack_of(root))
        except ConfigurationError as error:
            raise ConfigurationError(
                tuple(
                    Problem(f"{ref}:{problem.file}", problem.key, problem.reason)
                    for problem in error.problems
                )
            ) from error


def _git(root: Path, ref: str, *arguments: str) -> str:
    if ref.startswith("-"):
        raise ConfigurationError.of(ref, "", "is not a git reference")
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, check=False)
    except OSError as error:
        raise ConfigurationError.of(ref, "", f"git cannot be run: {error}") from error
    if done.returncode:
        raise ConfigurationError.of(ref, "", done.stderr.decode("utf-8", "replace").strip() or "git failed")
    return done.stdout.decode("utf-8", "replace")
