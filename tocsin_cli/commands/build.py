"""Build the Lambda package and verify it: for Lambda's platform, from any Python and operating system, without Docker.

Refuses a polluted `functions` folder. What `sam build` made is then read as Lambda would: every import must resolve on
each processor, every file of ours be there, and nothing that the runtime brings.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import lambda_package
from tocsin.core.problems import ConfigurationError, Problem
from tocsin_cli.authoring.check import check
from tocsin_cli.authoring.locations import located
from tocsin_cli.configuration_folder import is_staged, project_of
from tocsin_cli.options import add_root
from tocsin_cli.package.contents import package_problems, size_of
from tocsin_cli.package.sam import BuildError, ask_sam
from tocsin_cli.shown_paths import shown

FUNCTIONS = ("DetectFunction", "NotifyFunction", "ReconcileFunction")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_root(parser)
    parser.add_argument(
        "--architecture",
        choices=[*lambda_package.ARCHITECTURES, "both"],
        default="both",
        help="the processor it must run on (default: %(default)s; the package then fits either)",
    )
    parser.add_argument(
        "--verify-only", action="store_true", help="verify what `sam build` left in .aws-sam, build nothing"
    )
    parser.add_argument(
        "--project",
        type=Path,
        help="a folder with template.yaml and functions (default: the clone, or what is put together in .tocsin/build "
        "from the configuration)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Build and verify; 1 where there is nothing that may be deployed."""
    project = arguments.project.resolve() if arguments.project else checked_project(arguments.root)
    build(project, arguments.architecture, only_verify=arguments.verify_only)
    return 0


def checked_project(root: Path, environment: str = "") -> Path:
    """The project of a configuration folder, put together where it is one's own.

    Args:
        root: The configuration folder.
        environment: The name of a further environment in ``tocsin.toml``.

    Raises:
        BuildError: The configuration is wrong.
    """
    if problems := check(root):
        raise BuildError(_wrong(problems, root))
    try:
        return project_of(root, environment)
    except ConfigurationError as error:
        raise BuildError(_wrong(error.problems, root)) from error


def _wrong(problems: Sequence[Problem], root: Path) -> str:
    return "the configuration is wrong:\n" + "\n".join(located(problem, root) for problem in problems)


def build(project: Path, architecture: str = "both", *, only_verify: bool = False) -> None:
    """Build the package of each function and verify it.

    Args:
        project: The folder with ``template.yaml`` and ``functions``.
        architecture: ``arm64``, ``x86_64`` or ``both``.
        only_verify: Whether to take what was built before.

    Raises:
        BuildError: The folder is polluted, something cannot be fetched, or a package is not what it should be.
    """
    root = project / "functions"
    refuse_pollution(root)
    # What was put together was checked before, where its files lie; its runbooks stay there.
    if not is_staged(project) and (problems := check(root, project / "runbooks")):
        raise BuildError(_wrong(problems, root))
    machines = lambda_package.chosen_machines("" if architecture == "both" else architecture)
    if not only_verify:
        _sam_build(project, architecture)
    own = [str(path) for path in lambda_package.own_files(root)]
    found = []
    for name in FUNCTIONS:
        package = project / ".aws-sam" / "build" / name
        found += [f"{name}: {each}" for each in package_problems(package, root, own, machines)]
    if found:
        raise BuildError("\n".join(["the package is not fit to be deployed:", *found]))
    size = size_of(project / ".aws-sam" / "build" / FUNCTIONS[0]) / 2**20
    print(
        f"built for {' and '.join(machines)}, {size:.1f} MB unpacked: every import resolves on python3.13, "
        f"{len(own)} files of ours, no boto3",
        file=sys.stderr,
    )


def refuse_pollution(root: Path) -> None:
    """Refuse a deployment root in which something else lies than what is packaged.

    Args:
        root: The deployment root.

    Raises:
        BuildError: Each stray file, why it is in the way, and what to do.
    """
    if found := lambda_package.strays(root):
        raise BuildError(lambda_package.refusal(found, Path(shown(root))))
    if is_staged(root.parent):
        return
    own = {str(path) for path in lambda_package.own_files(root)}
    unknown = sorted(own & set(_git(root, "--others")))
    gone = sorted(set(_git(root, "--deleted")))
    if unknown or gone:
        lines = [f"{shown(root / name)}: not in git; add it (git add) or move it away" for name in unknown]
        lines += [f"{shown(root / name)}: in git, and missing here (git checkout)" for name in gone]
        raise BuildError("\n".join([*lines, "not packaged: what is deployed must be what is in git"]))


def _git(root: Path, which: str) -> list[str]:
    """Names of files as git sees them, relative to the root; none where there is no git or no checkout."""
    asked = ["git", "ls-files", "-z", which]
    try:
        done = subprocess.run(asked, cwd=root, capture_output=True, text=True, check=False)
    except OSError:
        return []
    return [] if done.returncode else [name for name in done.stdout.split("\0") if name]


def _sam_build(project: Path, architecture: str) -> None:
    chosen = "" if architecture == "both" else architecture
    # sam keeps what it built by the sources alone: the choice of one processor must not be answered from there.
    arguments = ["build", *(["--no-cached"] if chosen else [])]
    print("building with sam ...", file=sys.stderr, flush=True)
    status, output = ask_sam(arguments, project, PYTHON=sys.executable, TOCSIN_ARCHITECTURE=chosen)
    if status:
        print(output, file=sys.stderr)
        raise BuildError("`sam build` failed; its own words are above")
