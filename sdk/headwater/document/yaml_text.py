"""YAML and JSON to plain data and back: with the line of every value, and without YAML 1.1's surprises.

A document is also read by Kubernetes' tools, which take an unquoted `on` or `no` for a boolean. Here such
words are reported, so that a document means the same to everyone.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from headwater.document.problems import Path

# `y` and `n` are traps to some readers too, but common names of values: those are quoted when we write.
_TRAPS = {"yes", "no", "on", "off"}
_FLOAT = re.compile(
    r"^[-+]?(\d+\.?\d*([eE][-+]?\d+)?|\.\d+([eE][-+]?\d+)?|\.inf|\.Inf|\.INF|\.nan|\.NaN|\.NAN)$"
)
_INT = re.compile(r"^[-+]?\d+$|^0x[0-9a-fA-F]+$|^0o[0-7]+$")
_UNPRINTABLE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]")
_PREFIX = "tag:yaml.org,2002:"


class _Loader(yaml.SafeLoader):
    """YAML 1.2's idea of which plain words are numbers, booleans and null."""


_Loader.yaml_implicit_resolvers = {}
_Loader.add_implicit_resolver(
    _PREFIX + "bool", re.compile(r"^(true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_Loader.add_implicit_resolver(_PREFIX + "null", re.compile(r"^(~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver(_PREFIX + "int", _INT, list("-+0123456789"))
_Loader.add_implicit_resolver(_PREFIX + "float", _FLOAT, list("-+.0123456789"))
_Loader.add_implicit_resolver(_PREFIX + "merge", re.compile(r"^<<$"), ["<"])


@dataclass(slots=True)
class Parsed:
    """A text as data: `lines` gives the line (from 1) of each path, `issues` what is wrong with the text."""

    data: Any
    lines: dict[Path, int] = field(default_factory=dict)
    issues: list[tuple[Path, str, str, int]] = field(default_factory=list)


def parse(text: str) -> Parsed:
    """Read YAML or JSON.

    >>> parse("a: [1, 2]").data
    {'a': [1, 2]}
    """
    parsed = Parsed(None)
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 1
        column = f", column {mark.column + 1}" if mark is not None else ""
        parsed.issues.append(((), f"not valid YAML: {error.problem}{column}", _hint(error), line))
        return parsed
    except (yaml.YAMLError, ValueError) as error:
        parsed.issues.append(((), f"not valid YAML: {error}", "Save it as UTF-8 text.", 1))
        return parsed
    if node is not None:
        parsed.data = _data(node, (), parsed, frozenset())
    return parsed


def _hint(error: yaml.MarkedYAMLError) -> str:
    if "'\\t'" in str(error.problem):
        return "Indent with spaces, not tabs."
    if "mapping values are not allowed" in str(error.problem):
        return "Quote text that contains a colon, or check the indentation."
    if "found undefined alias" in str(error.problem):
        return "Define the anchor before it is used."
    return "Check the indentation, brackets and quotes around that line."


def _data(node: yaml.Node, path: Path, parsed: Parsed, above: frozenset[int]) -> Any:
    line = node.start_mark.line + 1
    parsed.lines.setdefault(path, line)
    if id(node) in above:
        parsed.issues.append((path, "contains itself by an anchor", "Write it out.", line))
        return None
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, parsed, above | {id(node)})
    if isinstance(node, yaml.SequenceNode):
        inner = above | {id(node)}
        return [_data(each, (*path, index), parsed, inner) for index, each in enumerate(node.value)]
    return _scalar(node, path, parsed)


def _mapping(node: yaml.MappingNode, path: Path, parsed: Parsed, above: frozenset[int]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if key_node.tag == _PREFIX + "merge":
            merged = _data(value_node, path, parsed, above)
            for each in merged if isinstance(merged, list) else [merged]:
                found.update({k: v for k, v in (each or {}).items() if k not in found})
            continue
        key = _scalar(key_node, path, parsed) if isinstance(key_node, yaml.ScalarNode) else None
        if not isinstance(key, str):
            parsed.issues.append((path, f"the key {key_node.value!r} is not a string", "Quote it.", line))
            key = str(key_node.value)
        if key in found:
            parsed.issues.append(
                ((*path, key), f"the key {key!r} is given twice", "Remove one of the two.", line)
            )
        parsed.lines[*path, key] = line
        found[key] = _data(value_node, (*path, key), parsed, above)
    return found


def _scalar(node: yaml.Node, path: Path, parsed: Parsed) -> Any:
    text = str(node.value)
    tag = node.tag.removeprefix(_PREFIX)
    if tag == "str":
        if getattr(node, "style", None) is None and text.lower() in _TRAPS and not _understood(path, text):
            parsed.issues.append(
                (
                    path,
                    f"unquoted {text} is a boolean to Kubernetes' YAML reader",
                    f'Quote it: "{text}"; or write true or false.',
                    node.start_mark.line + 1,
                )
            )
        return text
    if tag == "bool":
        return text.lower() == "true"
    if tag == "null":
        return None
    if tag == "int":
        return int(text, 0) if text[:2].lower() in ("0x", "0o") else int(text)
    if tag == "float":
        return float(text.replace(".inf", "inf").replace(".nan", "nan"))
    parsed.issues.append(
        (path, f"the tag {node.tag!r} means nothing here", "Write plain values.", node.start_mark.line + 1)
    )
    return text


def _understood(path: Path, text: str) -> bool:
    """`cache: off` means the same as a boolean."""
    return text.lower() == "off" and bool(path) and path[-1] == "cache"


class _Dumper(yaml.SafeDumper):
    """Quotes every string that some reader of YAML would take for something else."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


for _pattern, _tag, _first in (
    (re.compile(r"^(y|Y|n|N)$"), "bool", list("yYnN")),
    (_FLOAT, "float", list("-+.0123456789")),
    (_INT, "int", list("-+0123456789")),
):
    _Dumper.add_implicit_resolver(_PREFIX + _tag, _pattern, _first)


def _string(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = None
    if _UNPRINTABLE.search(text):
        style = '"'
    elif "\n" in text and " \n" not in text and not text.startswith((" ", "\n")):
        style = "|"
    return dumper.represent_scalar(_PREFIX + "str", text, style=style)


_Dumper.add_representer(str, _string)


def dump_yaml(document: Any) -> str:
    """The text of a document: the same for the same content, with keys in the order that they have.

    >>> print(dump_yaml({"name": "on", "n": 1}), end="")
    name: 'on'
    'n': 1
    """
    return yaml.dump(
        json.loads(json.dumps(document)),
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        width=110,
    )
