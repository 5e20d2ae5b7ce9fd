"""The template's parameters as a deploy will have them: the one reader that every command uses.

A value is the text that CloudFormation gets. Only what reads or writes a file is not pure.
"""

from __future__ import annotations

import json
import re
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tocsin_cli.command_error import CommandError

VARIABLE: Final = "PARAMETERS"
"""The environment variable that parameters are given in, in the form of ``sam deploy --parameter-overrides``."""

_PAIR: Final = re.compile(
    r"""\s*(?:ParameterKey=(?P<long>["']?[A-Za-z0-9]+["']?),ParameterValue=|(?P<short>["']?[A-Za-z0-9]+["']?)=)"""
    r"""(?P<value>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|(?:\\.|[^\s"\\])*)(?=\s|\Z)""",
    re.DOTALL,
)


class ParametersError(CommandError):
    """Parameters cannot be read; the message quotes what is not understood and shows the form."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """One parameter as the template declares it.

    Attributes:
        name: Its name.
        is_list: Whether it takes names separated by commas; pattern and allowed values hold for each of them.
        default: Its default.
        pattern: The expression that a value must match; empty for any.
        allowed: The only values there are; empty for any.
        least: The least number; None where there is none, or where it takes no number.
        most: The greatest number; None likewise.
        longest: The greatest length in characters; None for any.
        is_number: Whether it takes a number.
        requirement: What the template says of the pattern.
    """

    name: str
    is_list: bool = False
    default: str = ""
    pattern: str = ""
    allowed: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    longest: int | None = None
    is_number: bool = False
    requirement: str = ""


def load_template(template: Path) -> dict[str, Any]:
    """A template's document; intrinsic functions in their short form (``!Ref X``) are left as what they are given.

    Raises:
        OSError: It cannot be read.
        yaml.YAMLError: It is no YAML.
    """
    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc] # yaml has no types
        """Reads ``!Anything`` as the value behind it; ten times as fast where PyYAML came with its parser in C."""

    def plain(loader: Any, _tag: str, node: Any) -> Any:
        if isinstance(node, yaml.MappingNode):
            return loader.construct_mapping(node, deep=True)
        if isinstance(node, yaml.SequenceNode):
            return loader.construct_sequence(node, deep=True)
        return loader.construct_scalar(node)

    Loader.add_multi_constructor("!", plain)
    document: dict[str, Any] = yaml.load(template.read_text("utf-8"), Loader)  # noqa: S506 - made from SafeLoader
    return document


def declarations(template: Path) -> dict[str, Declaration]:
    """What a template declares, in its order.

    Raises:
        OSError: It cannot be read.
    """
    return {name: _declaration(name, each) for name, each in load_template(template)["Parameters"].items()}


def _declaration(name: str, given: Mapping[str, Any]) -> Declaration:
    def number(key: str) -> float | None:
        return float(given[key]) if key in given else None

    return Declaration(
        name,
        is_list=given["Type"] == "CommaDelimitedList",
        default=str(given.get("Default", "")),
        pattern=str(given.get("AllowedPattern", "")),
        allowed=tuple(map(str, given.get("AllowedValues", ()))),
        least=number("MinValue"),
        most=number("MaxValue"),
        longest=int(given["MaxLength"]) if "MaxLength" in given else None,
        is_number=given["Type"] == "Number",
        requirement=str(given.get("ConstraintDescription", "")),
    )


def read_overrides(given: object) -> dict[str, str]:
    """Read parameters as people write them; of a name that is given twice the last one counts.

    Args:
        given: A text (``Name=value``, ``Name="a b"``, ``Name=`` for the empty value,
            ``ParameterKey=Name,ParameterValue=value``), a list of such texts, or a table of names and values.

    Raises:
        ParametersError: Something in it is none of these.
    """
    if given is None:
        return {}
    if isinstance(given, str):
        return _pairs(given)
    if isinstance(given, Mapping):
        return {str(name): _value(value) for name, value in given.items()}
    if isinstance(given, Sequence):
        found: dict[str, str] = {}
        for each in given:
            found |= read_overrides(each)
        return found
    raise ParametersError(f"{given!r} is neither a text, a list nor a table of parameters")


def _value(value: object) -> str:
    if isinstance(value, list | tuple):
        return ",".join(str(each).strip() for each in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


def _pairs(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    at = 0
    text = text.strip()
    if text.startswith("file://"):
        raise ParametersError(
            f"{text}: a file of parameters is not read here; write the parameters themselves"
        )
    while at < len(text):
        pair = _PAIR.match(text, at)
        if pair is None:
            rest = text[at:].strip().split("\n")[0][:60]
            raise ParametersError(
                f'`{rest}` is no parameter: write Name=value, or Name="several words", separated by spaces'
            )
        found[_unquoted(pair["long"] or pair["short"])] = _unquoted(pair["value"])
        at = pair.end()
    return found


def _unquoted(text: str) -> str:
    """What stands within quotation marks, as sam reads it: a backslash hides a space or a quotation mark, and no more."""
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1]
    return text.replace("\\ ", " ").replace('\\"', '"').replace("\\'", "'")


def samconfig_value(samconfig: Path, key: str) -> Any:
    """A setting of ``sam deploy`` in samconfig.toml; None where it has none, or where there is no such file.

    Args:
        samconfig: The file.
        key: Such as ``stack_name``, ``region`` or ``parameter_overrides``.

    Raises:
        ParametersError: The file is no TOML.
    """
    try:
        settings = tomllib.loads(samconfig.read_text("utf-8")).get("default", {})
    except OSError:
        return None
    except tomllib.TOMLDecodeError as error:
        raise ParametersError(f"{samconfig}: {error}") from error
    for command in ("deploy", "global"):
        if (value := settings.get(command, {}).get("parameters", {}).get(key)) is not None:
            return value
    return None


def given_parameters(project: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """What a deploy is given: those of PARAMETERS, or, where that is empty, those of samconfig.toml; never of both.

    Args:
        project: The folder with ``samconfig.toml``.
        environ: The environment.

    Raises:
        ParametersError: They cannot be read.
    """
    if (text := environ.get(VARIABLE, "")).strip():
        try:
            return read_overrides(text)
        except ParametersError as error:
            raise ParametersError(f"{VARIABLE}: {error}") from error
    samconfig = project / "samconfig.toml"
    try:
        return read_overrides(samconfig_value(samconfig, "parameter_overrides"))
    except ParametersError as error:
        raise ParametersError(f"{samconfig.name}: parameter_overrides: {error}") from error


def effective(
    declared: Mapping[str, Declaration], given: Mapping[str, str], running: Mapping[str, str]
) -> dict[str, str]:
    """What CloudFormation will work with, for every parameter that the template declares.

    Args:
        declared: What the template declares.
        given: What the deploy is given.
        running: What the stack has now; empty for a first deploy.
    """
    return {name: given.get(name, running.get(name, each.default)) for name, each in declared.items()}


def listed(value: str) -> list[str]:
    """The names in a list parameter; CloudFormation's one empty name of an empty list left out."""
    return [name for name in (each.strip() for each in value.split(",")) if name]


def refusals(declared: Mapping[str, Declaration], given: Mapping[str, str]) -> list[str]:
    """What CloudFormation would refuse of these parameters, one sentence each, in the order given."""
    found = []
    for name, value in given.items():
        declaration = declared.get(name)
        if declaration is None:
            found.append(f"{name}: the template has no such parameter{_nearest(name, declared)}")
            continue
        values = [each.strip() for each in value.split(",")] if declaration.is_list else [value]
        found += [f"{name}: {reason}" for each in values if (reason := _refusal(declaration, each))]
    return found


def _nearest(name: str, declared: Mapping[str, Declaration]) -> str:
    import difflib

    near = difflib.get_close_matches(name, declared, 1)
    return f"; is it {near[0]}?" if near else ""


def _refusal(declaration: Declaration, value: str) -> str:
    if declaration.allowed and value not in declaration.allowed:
        return f"{value!r} is none of {', '.join(repr(each) for each in declaration.allowed)}"
    if declaration.pattern and not re.search(declaration.pattern, value):
        return f"{value!r} is not allowed; it takes {declaration.requirement or declaration.pattern}"
    if declaration.longest is not None and len(value) > declaration.longest:
        return f"{len(value)} characters; it takes {declaration.longest} at most"
    if declaration.is_number:
        return _number_refusal(declaration, value)
    return ""


def _number_refusal(declaration: Declaration, value: str) -> str:
    try:
        number = float(value)
    except ValueError:
        return f"{value!r} is not a number"
    if declaration.least is not None and number < declaration.least:
        return f"{value} is less than {declaration.least:g}"
    if declaration.most is not None and number > declaration.most:
        return f"{value} is more than {declaration.most:g}"
    return ""


@contextmanager
def overrides_for_sam(project: Path, environ: Mapping[str, str]) -> Iterator[list[str]]:
    """The arguments that give ``sam deploy`` the parameters; the file that they name exists as long as the context.

    Args:
        project: The folder with ``samconfig.toml``.
        environ: The environment.

    Raises:
        ParametersError: They cannot be read.
    """
    given = given_parameters(project, environ)
    with tempfile.TemporaryDirectory(prefix="tocsin-deploy-") as folder:
        file = Path(folder) / "parameters.yaml"
        file.write_text(for_sam(given), "utf-8")
        yield ["--parameter-overrides", f"file://{file}"] if given else []


def for_sam(given: Mapping[str, str]) -> str:
    """A YAML document that ``sam`` reads as exactly these parameters, also empty ones, which it drops from a text."""
    # Of what stands in a file it takes the quotation marks away twice.
    return (
        json.dumps(
            {name: _quoted(_quoted(value)) for name, value in given.items()}, indent=2, ensure_ascii=False
        )
        + "\n"
    )


def _quoted(value: str) -> str:
    """The reverse of ``_unquoted``."""
    return '"' + value.replace('"', '\\"').replace("\\ ", "\\\\ ").replace("\\'", "\\\\'") + '"'
