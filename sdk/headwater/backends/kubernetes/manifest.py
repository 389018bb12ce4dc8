"""From a compiled workflow to the Workflow that is created in a cluster: arguments, image, exact constants."""

from __future__ import annotations

import base64
import copy
import json
import re
import secrets
from collections.abc import Mapping
from typing import Any

from headwater.blocks.compile import API_VERSION, Compiled
from headwater.document.exact import is_exact
from headwater.document.problems import wrong_type
from headwater.errors import UsageError

Spec = dict[str, Any]
MOST_CHARACTERS = 52
"""Of a run's name: what Kubernetes makes of it (pods, labels) stays below 63 with it."""

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # Kubernetes' own: it spells no words
_PYTHON_CONSTANTS = frozenset({"value", "default"})


def run_name(workflow: str) -> str:
    """A new name for a run of a workflow, as `generateName` would make it.

    It is made here, so that a request whose answer got lost can be repeated.

    >>> len(run_name("Gen_Data")), run_name("Gen_Data")[:9]
    (14, 'gen-data-')
    """
    suffix = "".join(secrets.choice(_ALPHABET) for _ in range(5))
    return f"{object_name(workflow)[: MOST_CHARACTERS - 6].rstrip('-.')}-{suffix}"


def object_name(text: str) -> str:
    """A text as the name of an object in Kubernetes.

    >>> object_name("My_flow v2!"), object_name("…")
    ('my-flow-v2', 'workflow')
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:MOST_CHARACTERS].rstrip("-") or "workflow"


def next_try(name: str) -> str:
    """The name of the run that goes on with this one.

    >>> next_try("reduce-x7k2p"), next_try("reduce-x7k2p-r1")
    ('reduce-x7k2p-r1', 'reduce-x7k2p-r2')
    """
    match = re.fullmatch(r"(.*)-r(\d+)", name)
    base, number = (match[1], int(match[2]) + 1) if match else (name, 1)
    suffix = f"-r{number}"
    return base[: 63 - len(suffix)].rstrip("-.") + suffix


def spec_of(compiled: Compiled) -> Spec:
    """The spec of a compiled workflow with everything in it by name or by value.

    Of a document that was read from a file, with the inputs that were matched by name.
    """
    spec: Spec = copy.deepcopy(compiled.document["spec"])
    matched = compiled.spec.get("blocks")
    if matched is not None and not _has_live_objects(matched):
        spec["blocks"] = json.loads(json.dumps(matched))
    if compiled.spec.get("parameters"):
        # Those of the config that is in force, where the document was written without them.
        spec["parameters"] = copy.deepcopy(compiled.spec["parameters"])
    return spec


def _has_live_objects(written: Any) -> bool:
    if isinstance(written, Mapping):
        return "object" in written or any(map(_has_live_objects, written.values()))
    return isinstance(written, list) and any(map(_has_live_objects, written))


def with_arguments(spec: Spec, inputs: Mapping[str, object]) -> Spec:
    """The spec with the run's inputs: plain JSON as `arguments`, anything else as the default of its input.

    Raises:
        UsageError: an input cannot be pickled, or the spec only names a template that would have to carry it.
    """
    declared = _declared(spec)
    plain = {
        name: value
        for name, value in inputs.items()
        # A value of another type is for the task to judge, as everywhere; the operator would refuse it.
        if is_exact(value) and not (name in declared and wrong_type(declared[name].get("type"), value))
    }
    rest = {name: value for name, value in inputs.items() if name not in plain}
    arguments = {**(spec.get("arguments") or {}), **plain}
    for name in rest:
        arguments.pop(name, None)
    written = {key: value for key, value in spec.items() if key != "arguments"}
    if arguments:
        written["arguments"] = arguments
    if not rest:
        return written
    if not spec.get("blocks"):
        listed = ", ".join(sorted(rest))
        raise UsageError(
            f"the input{'s' if len(rest) > 1 else ''} {listed} of a template must be JSON",
            fix="Write whole numbers without a fraction, or submit the workflow itself.",
        )
    entry = _entry(spec)
    written["blocks"] = [
        _with_defaults(block, rest) if block["name"] == entry else block for block in spec["blocks"]
    ]
    return written


def _entry(spec: Spec) -> str:
    return str(spec.get("entrypoint") or spec["blocks"][0]["name"])


def _declared(spec: Spec) -> Mapping[str, Any]:
    """The inputs that the entry block declares; none where a template does."""
    if not spec.get("blocks"):
        return {}
    return next(block.get("inputs") or {} for block in spec["blocks"] if block["name"] == _entry(spec))


def _with_defaults(block: Spec, values: Mapping[str, object]) -> Spec:
    inputs = dict(block.get("inputs") or {})
    for name, value in values.items():
        declared = {key: part for key, part in (inputs.get(name) or {}).items() if key != "default"}
        inputs[name] = {**declared, "required": False, "pickle": pickled(value, f"the input {name!r}")}
    return {**block, "inputs": inputs}


def exact(spec: Spec) -> Spec:
    """The spec with every constant that Kubernetes would change (1.0 becomes 1) as a pickle.

    >>> written = exact({"blocks": [{"name": "main", "inputs": {"x": {"default": 2.0}}, "nodes": []}]})
    >>> sorted(written["blocks"][0]["inputs"]["x"])
    ['pickle', 'required']
    """
    return {**spec, "blocks": _exact(spec["blocks"])} if spec.get("blocks") else spec


def _exact(written: Any) -> Any:
    if isinstance(written, list):
        return [_exact(part) for part in written]
    if not isinstance(written, dict):
        return written
    if set(written) == {"value"} and not is_exact(written["value"]):
        return {"pickle": pickled(written["value"], "a constant")}
    if "default" in written and not is_exact(written["default"]):
        rest = {key: part for key, part in written.items() if key != "default"}
        return {**rest, "required": False, "pickle": pickled(written["default"], "a default")}
    if "initial" in written and isinstance(written["initial"], dict):
        given = {name: _initial(value) for name, value in written["initial"].items()}
        return {**{key: _exact(part) for key, part in written.items() if key != "initial"}, "initial": given}
    return {
        key: part if key in _PYTHON_CONSTANTS or key in ("values", "podTemplate") else _exact(part)
        for key, part in written.items()
    }


def _initial(value: Any) -> Any:
    if isinstance(value, dict) and set(value) & {"from", "pickle", "value"}:
        return _exact(value)
    return value if is_exact(value) else {"pickle": pickled(value, "an initial value")}


def pickled(value: object, what: str) -> str:
    """A Python object as the text of a document."""
    import cloudpickle

    try:
        return base64.b64encode(cloudpickle.dumps(value)).decode()
    except Exception as error:  # whatever pickling somebody's object raises
        raise UsageError(
            f"{what} cannot be pickled: {error}", fix="Pass data, not open files or locks."
        ) from error


WORKFLOW_LABEL = "headwater.dev/workflow"
"""Says of which workflow a run is."""


def manifest(
    name: str,
    spec: Spec,
    *,
    workflow: str = "",
    image: str | None = None,
    annotations: Mapping[str, str] | None = None,
) -> Spec:
    """The object to create.

    >>> manifest("reduce-x7k2p", {"blocks": []}, image="lab/reduce:3")["spec"]["code"]
    {'image': 'lab/reduce:3'}
    """
    if image:
        spec = {**spec, "code": {**(spec.get("code") or {}), "image": image}}
    metadata: Spec = {"name": name}
    if workflow:
        metadata["labels"] = {WORKFLOW_LABEL: object_name(workflow)}
    if annotations:
        metadata["annotations"] = dict(annotations)
    return {"apiVersion": API_VERSION, "kind": "Workflow", "metadata": metadata, "spec": spec}
