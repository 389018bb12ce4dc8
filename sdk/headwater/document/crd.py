"""The CustomResourceDefinitions, made from the models.

    python -m headwater.document.crd            print them
    python -m headwater.document.crd --write crds/

What the schemas let through is kept as it was written, unknown fields too (`x-kubernetes-preserve-unknown-fields`): the
API server would drop them without a word where a client does not ask for more, and a run without its misspelt `retry`
is worse than one that is refused. The operator refuses them, with the field and the name that was meant.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from headwater.document.resources import KINDS
from headwater.document.rules import MUTABLE, RULES, UNCHANGED_TEMPLATE, unchanged

GROUP = "headwater.dev"
VERSION = "v1alpha1"

Schema = dict[str, Any]
_ANY = "x-kubernetes-preserve-unknown-fields"
_LIST_TYPE = "x-kubernetes-list-type"
_KEPT = ("type", "format", "enum", "minimum", "maximum", "minLength", "maxLength", "pattern",
         "minItems", "maxItems", "minProperties", "maxProperties")  # fmt: skip

# Bounds of what the models leave open: no document that can be stored reaches them.
_MOST_CHARACTERS = 1_500_000
_MOST_ITEMS = 10_000
_MOST_FIELDS = 10_000


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a CRD says beside its schema."""

    plural: str
    short: tuple[str, ...]
    columns: tuple[tuple[str, str, str, str, int], ...]
    selectable: tuple[str, ...] = ()


_AGE = ("Age", "date", ".metadata.creationTimestamp", "How long ago it was created.", 0)
_KINDS: Mapping[str, _Kind] = {
    "Workflow": _Kind(
        "workflows",
        ("wf",),
        (
            ("Phase", "string", ".status.phase", "Where the run stands.", 0),
            ("Progress", "string", ".status.progress", "Nodes that have ended, of all.", 0),
            _AGE,
            ("Message", "string", ".status.message", "What failed or waits, and what to do.", 0),
            ("Reason", "string", ".status.reason", "Why it stands there, in one word.", 1),
            ("Template", "string", ".spec.template.name", "The template that it runs.", 1),
            ("Finished", "date", ".status.finishedAt", "How long ago it ended.", 1),
        ),
        (".status.phase", ".status.settled", ".spec.template.name"),
    ),
    "WorkflowTemplate": _Kind(
        "workflowtemplates",
        ("wft",),
        (
            ("Project", "string", ".spec.project", "The project that registered it.", 0),
            ("Version", "integer", ".spec.version", "Its number.", 0),
            _AGE,
            ("Description", "string", ".spec.description", "What it does.", 1),
        ),
        (".spec.project",),
    ),
    "CronWorkflow": _Kind(
        "cronworkflows",
        ("cwf",),
        (
            ("Schedules", "string", ".spec.schedules", "When it starts runs.", 0),
            ("Suspend", "boolean", ".spec.suspend", "Whether it starts none at present.", 0),
            ("Last", "date", ".status.lastScheduleTime", "How long ago it started one.", 0),
            _AGE,
            ("Message", "string", ".status.message", "What stands in its way.", 0),
            ("Zone", "string", ".spec.timeZone", "The zone of its schedules.", 1),
        ),
    ),
    "SlurmCluster": _Kind(
        "slurmclusters",
        ("slurm",),
        (
            ("Phase", "string", ".status.phase", "Whether jobs can be submitted.", 0),
            ("Slurm", "string", ".status.version", "The Slurm that answered last.", 0),
            ("Seen", "date", ".status.lastSeen", "How long ago it answered.", 0),
            ("Transport", "string", ".spec.transport", "How jobs are submitted.", 0),
            ("Endpoint", "string", ".spec.endpoint", "Where they are submitted.", 0),
            _AGE,
            ("Message", "string", ".status.message", "Why they cannot be.", 0),
            ("Partitions", "string", ".status.partitions", "The partitions that it has.", 1),
        ),
    ),
}  # fmt: skip


_FIXED = ("Workflow", "WorkflowTemplate")
"""What cannot change after it was created, but for the fields that steer a run."""


@cache
def _definitions() -> tuple[Schema, ...]:
    return tuple(_definition(kind) for kind in _KINDS)


def custom_resource_definitions() -> list[Schema]:
    """The definitions of all four kinds, to be applied or written; copies that the caller may change.

    >>> [each["metadata"]["name"] for each in custom_resource_definitions()][0]
    'workflows.headwater.dev'
    """
    import copy

    return [copy.deepcopy(each) for each in _definitions()]


def _definition(kind: str) -> Schema:
    about = _KINDS[kind]
    names = {"kind": kind, "listKind": f"{kind}List", "plural": about.plural, "singular": kind.lower()}
    columns = [
        {"name": name, "type": type_, "jsonPath": path, "description": said}
        | ({"priority": priority} if priority else {})
        for name, type_, path, said, priority in about.columns
    ]
    version: Schema = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": columns,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": schema_of(kind)},
    }
    if about.selectable:
        version["selectableFields"] = [{"jsonPath": path} for path in about.selectable]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{about.plural}.{GROUP}",
            "labels": {"app.kubernetes.io/name": "headwater", "app.kubernetes.io/part-of": "headwater"},
        },
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {**names, "shortNames": list(about.short), "categories": [GROUP.partition(".")[0]]},
            "versions": [version],
        },
    }


# ---------------------------------------------------------------------- schemas


def schema_of(kind: str) -> Schema:
    """The structural schema of a kind.

    >>> sorted(schema_of("Workflow")["properties"])
    ['apiVersion', 'kind', 'metadata', 'spec', 'status']
    """
    written = KINDS[kind].model_json_schema(by_alias=True)
    defined: Mapping[str, Schema] = written["$defs"]
    found: Schema = {
        "type": "object",
        "description": _prose(written["description"]),
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": f"{GROUP}/{VERSION}."},
            "kind": {"type": "string", "description": f"{kind}."},
            "metadata": {"type": "object"},
            "spec": _Structural(defined, _SPEC_SHAPES, keep_unknown=True, can_change=kind not in _FIXED).of(
                written["properties"]["spec"]
            ),
            "status": _Structural(defined, _STATUS_SHAPES, keep_unknown=False).of(
                written["properties"]["status"]
            ),
        },
    }
    if kind == "Workflow":
        fixed = [
            name for name in found["properties"]["spec"]["properties"] if name not in (*MUTABLE, "blocks")
        ]
        found["x-kubernetes-validations"] = [unchanged([*fixed, "blocks"]).as_dict()]
    if kind == "WorkflowTemplate":
        found["x-kubernetes-validations"] = [UNCHANGED_TEMPLATE.as_dict()]
    return found


def _unique_names(schema: Schema) -> None:
    """A list whose entries have names that differ.

    Each entry is one value to server-side apply: field by field, `managedFields` would double the resource.
    """
    schema[_LIST_TYPE] = "map"
    schema["x-kubernetes-list-map-keys"] = ["name"]
    schema["items"]["x-kubernetes-map-type"] = "atomic"


def _blocks(schema: Schema) -> None:
    """The bound of `blocks` stands where the estimate of costs does not look.

    The API server takes the number of blocks times the number of nodes in each as the number of times that a rule of
    a node runs, far more than fit into a request; without `maxItems` it asks what does fit.
    """
    _unique_names(schema)
    schema["allOf"] = [{"maxItems": schema.pop("maxItems")}]


def _by_type(schema: Schema) -> None:
    schema[_LIST_TYPE] = "map"
    schema["x-kubernetes-list-map-keys"] = ["type"]


Shapes = Mapping[tuple[str, str], Callable[[Schema], None]]
_SPEC_SHAPES: Shapes = {
    ("WorkflowSpec", "blocks"): _blocks,
    ("WorkflowTemplateSpec", "blocks"): _blocks,
    ("Block", "nodes"): _unique_names,
}
_STATUS_SHAPES: Shapes = {
    **{(f"{kind}Status", "conditions"): _by_type for kind in KINDS},
}


class _Structural:
    """From pydantic's JSON schema to what a CRD may hold: no references or alternatives, bounds everywhere."""

    def __init__(
        self, defined: Mapping[str, Schema], shapes: Shapes, *, keep_unknown: bool, can_change: bool = True
    ) -> None:
        self.defined = defined
        self.shapes = shapes
        self.keep_unknown = keep_unknown
        self.can_change = can_change

    def of(self, written: Schema) -> Schema:
        """The structural form of a schema."""
        alternatives = [each for each in written.get("anyOf", []) if each.get("type") != "null"]
        if len(alternatives) == 1:
            rest = {key: value for key, value in written.items() if key not in ("anyOf", "default")}
            written = {**alternatives[0], **rest, **_default(written)}
        found: Schema = {}
        said = written.get("description", "")
        if "$ref" in written:
            name = written["$ref"].rpartition("/")[2]
            found = self._model(name, self.defined[name])
            said = said or found.get("description", "")
        elif written.get("x-kubernetes-int-or-string"):
            found = {"x-kubernetes-int-or-string": True, "maxLength": 64}
        elif "type" not in written:
            # Where null is not allowed the API server takes it out: `value: null` would be no source at all.
            found = {_ANY: True, **({"enum": written["enum"]} if "enum" in written else {"nullable": True})}
        else:
            found = self._typed(written)
        if said:
            found = {**found, "description": _prose(said) + _default_text(written)}
        return found

    def _model(self, name: str, written: Schema) -> Schema:
        found: Schema = {"type": "object", "description": _prose(written.get("description", ""))}
        if written.get("required"):
            found["required"] = list(written["required"])
        properties: Schema = {}
        for field, schema in written.get("properties", {}).items():
            properties[field] = self.of(schema)
            self.shapes.get((name, field), _as_it_is)(properties[field])
        if properties:
            found["properties"] = properties
        if self.keep_unknown:
            found[_ANY] = True
        if name in RULES:
            found["x-kubernetes-validations"] = [
                rule.as_dict() if self.can_change else rule.at_creation() for rule in RULES[name]
            ]
        return found

    def _typed(self, written: Schema) -> Schema:
        found: Schema = {key: written[key] for key in _KEPT if key in written}
        if "const" in written:
            found["enum"] = [written["const"]]
        kind = found["type"]
        if kind == "string" and "enum" not in found:
            found.setdefault("maxLength", _MOST_CHARACTERS)
        if kind == "integer":
            found["format"] = "int64"
        if kind == "array":
            found.setdefault("maxItems", _MOST_ITEMS)
            found["items"] = self.of(written.get("items", {}))
            found[_LIST_TYPE] = "atomic"
        if kind == "object":
            found.setdefault("maxProperties", _MOST_FIELDS)
            inner = written.get("additionalProperties", True)
            values = self.of(inner) if isinstance(inner, dict) else {_ANY: True}
            if _is_any(values):
                # CEL sees an object of any fields, but no map of any values: only so can it be compared.
                found[_ANY] = True
                found["x-kubernetes-map-type"] = "atomic"
            else:
                found["additionalProperties"] = values
        return found


def _as_it_is(schema: Schema) -> None:
    pass


def _is_any(schema: Schema) -> bool:
    return bool(schema.get(_ANY)) and "properties" not in schema and "x-kubernetes-validations" not in schema


def _default(written: Schema) -> Schema:
    return {"default": written["default"]} if written.get("default") is not None else {}


def _default_text(written: Schema) -> str:
    """The default in words: the API server is not to write it into what people wrote."""
    value = written.get("default")
    if value in (None, ""):
        return ""
    return f" Default: {str(value).lower() if isinstance(value, bool) else value}."


def _prose(text: str) -> str:
    """A text as it is shown: paragraphs, each on one line."""
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


# ---------------------------------------------------------------------- files

_HEADER = "# Made from the models by `python -m headwater.document.crd --write crds/`. Change those, not this file.\n"


def files() -> dict[str, str]:
    """By name: the text of each file.

    >>> sorted(files())[0]
    'cronworkflows.yaml'
    """
    from headwater.document.yaml_text import dump_yaml

    return {
        f"{each['spec']['names']['plural']}.yaml": _HEADER + dump_yaml(each)
        for each in custom_resource_definitions()
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the definitions, or write one file for each into a folder."""
    parser = argparse.ArgumentParser(description="The CustomResourceDefinitions of Headwater.")
    parser.add_argument("--write", metavar="FOLDER", type=Path, help="write files instead of printing")
    folder: Path | None = parser.parse_args(arguments).write
    if folder is None:
        print("---\n".join(files().values()), end="")
        return 0
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files().items():
        (folder / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
