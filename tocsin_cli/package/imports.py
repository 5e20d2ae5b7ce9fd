"""Does every import of a package resolve in Lambda? Answered by reading, for the processor and Python of the target.

Starting at the handlers, each module that is reached is parsed and each of its imports looked for: in the package, in the
standard library of Python 3.13, among what the runtime brings. ``from module import name`` must also find the name. In our
own modules that holds for every import. A library may guard one by ``try`` or ``if``, or put it into a function that we
perhaps never call: such imports are neither judged nor followed.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

RUNTIME = (3, 13)
RUNTIME_BRINGS = {"boto3", "botocore"}
"""What Lambda's Python runtime has beside the standard library, and we rely on."""
_GONE = """
    aifc asynchat asyncore audioop cgi cgitb chunk crypt distutils imghdr imp lib2to3 mailcap msilib nis
    nntplib ossaudiodev pipes smtpd sndhdr spwd sunau telnetlib uu xdrlib
""".split()
_LATER = {"annotationlib", "compression"}
STANDARD_LIBRARY = (sys.stdlib_module_names | {"_pyrepl"}).difference(_GONE, _LATER)
"""Of Python 3.13, whichever Python asks: without what came later, or was gone by then ("What's New in Python" 3.12, 3.13)."""

MAX_REMEMBERED = 2_000
"""Files that are parsed once for all packages of a build, which hold nearly the same, and for each processor."""

_NEVER = {"TYPE_CHECKING", "PY2"}
_CATCHES = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException", "AttributeError"}


@dataclass(frozen=True, slots=True)
class Unresolved:
    """An import that would fail.

    Attributes:
        file: The importing file, relative to the package.
        line: Its line.
        reason: What is missing.
    """

    file: str
    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class _Import:
    module: str
    names: tuple[str, ...]
    line: int
    optional: bool


class _Module(NamedTuple):
    """What one file says: its imports, and the names that it binds."""

    imports: tuple[_Import, ...]
    names: frozenset[str]


def unresolved_imports(package: Path, own: Sequence[str], machine: str) -> list[Unresolved]:
    """Every import that would fail on a processor.

    Args:
        package: The folder of the package.
        own: Our own modules' files, relative to it; those, and all that they reach, are looked at.
        machine: ``x86_64`` or ``aarch64``.
    """
    return list(_Walk(package, machine, {*own}).problems())


class _Walk:
    def __init__(self, package: Path, machine: str, own: set[str]) -> None:
        self._package, self._own = package, own
        self._suffixes = (f".cpython-{RUNTIME[0]}{RUNTIME[1]}-{machine}-linux-gnu.so", ".abi3.so", ".so")
        self._module, self._find = cache(self._read), cache(self._look_for)

    def problems(self) -> Iterator[Unresolved]:
        waiting = [self._package / file for file in sorted(self._own) if file.endswith(".py")]
        seen = {*waiting}
        while waiting:
            file = waiting.pop()
            relative = file.relative_to(self._package)
            try:
                imports = self._module(file).imports
            except SyntaxError as error:
                yield Unresolved(relative.as_posix(), error.lineno or 0, f"not Python: {error.msg}")
                continue
            for each in imports:
                if each.optional:
                    continue
                reached, reason = self._resolve(each)
                if reason:
                    yield Unresolved(relative.as_posix(), each.line, reason)
                waiting += [path for path in reached if path.suffix == ".py" and path not in seen]
                seen.update(reached)

    def _read(self, file: Path) -> _Module:
        relative = file.relative_to(self._package)
        inside = relative.parts[:-1]  # of an __init__ its own package, of a module the package that it is in
        return _parsed(file.read_bytes(), inside, lenient=relative.as_posix() not in self._own)

    def _resolve(self, wanted: _Import) -> tuple[list[Path], str]:
        """The files that an import reaches, and what is missing."""
        top = wanted.module.partition(".")[0]
        if top in RUNTIME_BRINGS or (top in STANDARD_LIBRARY and self._find(top) is None):
            return [], ""
        reached: list[Path] = []
        parts = wanted.module.split(".")
        for length in range(1, len(parts) + 1):
            name = ".".join(parts[:length])
            file = self._find(name)
            if file is None:
                if length > 1 and reached and self._binds(reached[-1], parts[length - 1]):
                    return reached, ""  # an alias that the package makes of itself
                return reached, f"No module named '{name}'"
            reached.append(file)
        module = reached[-1]
        for name in wanted.names:
            file = self._find(f"{wanted.module}.{name}")
            if file is not None:
                reached.append(file)
            elif name != "*" and not self._binds(module, name):
                return reached, f"cannot import name '{name}' from '{wanted.module}'"
        return reached, ""

    def _look_for(self, module: str) -> Path | None:
        place = self._package.joinpath(*module.split("."))
        for candidate in (place / "__init__.py", place.with_name(place.name + ".py")):
            if candidate.is_file():
                return candidate
        for suffix in self._suffixes:
            if (candidate := place.with_name(place.name + suffix)).is_file():
                return candidate
        # A folder without __init__.py is a namespace package, if there is Python in it.
        return place if place.is_dir() and any(place.rglob("*.py")) else None

    def _binds(self, file: Path, name: str) -> bool:
        """Whether a module has a name, as far as reading shows; in doubt it has."""
        if file.suffix != ".py":
            return file.is_file()  # compiled: its names are not to be read; a namespace package binds none
        names = self._module(file).names
        return (
            name in names or bool(names & {"*", "__getattr__"}) or name in {"__name__", "__file__", "__doc__"}
        )


@lru_cache(MAX_REMEMBERED)
def _parsed(source: bytes, package: tuple[str, ...], *, lenient: bool) -> _Module:
    tree = ast.parse(source)
    reader = _Reader(package, lenient=lenient)
    reader.visit(tree)
    return _Module(tuple(reader.found), frozenset(_bound(tree.body)))


class _Reader(ast.NodeVisitor):
    """Collects the imports of one module that Python would come by."""

    def __init__(self, package: Sequence[str], *, lenient: bool) -> None:
        self._package, self._lenient, self._optional = list(package), lenient, False
        self.found: list[_Import] = []

    def visit_Import(self, node: ast.Import) -> None:
        self.found += [_Import(alias.name, (), node.lineno, self._optional) for alias in node.names]

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = self._package[: len(self._package) - node.level + 1] if node.level else []
        module = ".".join([*base, *(node.module.split(".") if node.module else [])])
        names = tuple(alias.name for alias in node.names)
        self.found.append(_Import(module, names, node.lineno, self._optional))

    def visit_Call(self, node: ast.Call) -> None:
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in {"import_module", "__import__"} and node.args and isinstance(node.args[0], ast.Constant):
            name = node.args[0].value
            if isinstance(name, str) and not name.startswith("."):
                self.found.append(_Import(name, (), node.lineno, self._optional))
        self.generic_visit(node)

    def visit_If(self, node: ast.If) -> None:
        truth = _truth(node.test)
        reached = [*(node.body if truth is not False else ()), *(node.orelse if truth is not True else ())]
        self._visit_all(reached, optional=truth is None and self._lenient)

    def visit_Try(self, node: ast.Try) -> None:
        guarded = self._lenient and any(_caught(handler) & _CATCHES for handler in node.handlers)
        self._visit_all([*node.body, *node.handlers], optional=guarded)
        self._visit_all([*node.orelse, *node.finalbody], optional=guarded)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._visit_all(node.body, optional=self._lenient)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._visit_all(node.body, optional=self._lenient)

    def _visit_all(self, nodes: Sequence[ast.AST], *, optional: bool) -> None:
        before, self._optional = self._optional, self._optional or optional
        for node in nodes:
            self.visit(node)
        self._optional = before


def _caught(handler: ast.ExceptHandler) -> set[str]:
    if handler.type is None:
        return {"BaseException"}
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return {kind.attr if isinstance(kind, ast.Attribute) else getattr(kind, "id", "") for kind in kinds}


def _truth(test: ast.expr) -> bool | None:
    """What a condition is in Lambda, where that is known: a version, a platform, a type checker."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = _truth(test.operand)
        return None if inner is None else not inner
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")
    if name in _NEVER:
        return False
    if not isinstance(test, ast.Compare) or len(test.ops) != 1:
        return None
    left, operator, right = ast.unparse(test.left), test.ops[0], test.comparators[0]
    if left == "sys.version_info" and isinstance(right, ast.Tuple):
        bound = tuple(part.value for part in right.elts if isinstance(part, ast.Constant))
        return _compared(operator, (*RUNTIME, 0)[: max(len(bound), 2)], bound)
    if left in {"sys.platform", "os.name"} and isinstance(right, ast.Constant):
        return _compared(operator, "linux" if left == "sys.platform" else "posix", right.value)
    return None


def _compared(operator: ast.cmpop, left: object, right: object) -> bool | None:
    match operator:
        case ast.GtE():
            return bool(left >= right)  # type: ignore[operator] # two tuples of numbers
        case ast.Lt():
            return bool(left < right)  # type: ignore[operator] # likewise
        case ast.Eq():
            return left == right
        case ast.NotEq():
            return left != right
        case _:
            return None


def _bound(body: Sequence[ast.stmt]) -> set[str]:
    """The names that a module's own statements bind; ``*`` where they come from a place that reading does not show."""
    names: set[str] = set()
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(statement.name)
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
            elif isinstance(node, ast.ImportFrom) and node.level == 1 and not node.module:
                continue  # `from . import x` in a package takes x from it, and gives it none
            elif isinstance(node, ast.Import | ast.ImportFrom):
                names |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                names.add(node.name)
            elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in {
                "globals",
                "exec",
                "setattr",
            }:
                names.add("*")
    return names
