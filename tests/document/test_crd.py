"""The definitions are what the models say, and of the shape that the API server asks for."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from headwater.document import crd
from headwater.document.crd import custom_resource_definitions, files
from headwater.document.resources import KINDS
from headwater.document.rules import MUTABLE

CRDS = Path(__file__).parents[2] / "crds"
YAML_1_1_BOOLEANS = {"y", "yes", "n", "no", "true", "false", "on", "off"}

Schema = dict[str, Any]


def root(definition: Schema) -> Schema:
    found: Schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return found


def all_schemas(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from all_schemas(inner, f"{path}.{name}")
    if "items" in schema:
        yield from all_schemas(schema["items"], f"{path}[]")
    if isinstance(schema.get("additionalProperties"), dict):
        yield from all_schemas(schema["additionalProperties"], f"{path}.*")


DEFINITIONS = {each["spec"]["names"]["kind"]: each for each in custom_resource_definitions()}


def rules_of_spec(kind: str) -> list[Schema]:
    spec = root(DEFINITIONS[kind])["properties"]["spec"]
    found = [each for _, schema in all_schemas(spec) for each in schema.get("x-kubernetes-validations", ())]
    assert found
    return found


def test_what_is_committed_is_what_the_models_say() -> None:
    written = {path.name: path.read_text(encoding="utf-8") for path in CRDS.glob("*.yaml")}
    assert written == files(), "Run `python -m headwater.document.crd --write crds/`."


def test_there_is_one_for_each_kind() -> None:
    names = {kind: each["spec"]["names"] for kind, each in DEFINITIONS.items()}
    assert set(names) == set(KINDS)
    assert {kind: (each["plural"], *each["shortNames"]) for kind, each in names.items()} == {
        "Workflow": ("workflows", "wf"),
        "WorkflowTemplate": ("workflowtemplates", "wft"),
        "CronWorkflow": ("cronworkflows", "cwf"),
        "SlurmCluster": ("slurmclusters", "slurm"),
    }


def test_the_command_writes_the_files(tmp_path: Path) -> None:
    assert crd.main(["--write", str(tmp_path / "crds")]) == 0
    assert {path.name: path.read_text() for path in (tmp_path / "crds").iterdir()} == files()


def test_they_are_made_fast_and_the_caller_may_change_them() -> None:
    custom_resource_definitions()[0]["spec"] = None
    began = time.process_time()
    assert custom_resource_definitions()[0]["spec"]
    assert time.process_time() - began < 0.1


def test_all_schemas_are_structural_and_bounded() -> None:
    for kind, definition in DEFINITIONS.items():
        for path, schema in all_schemas(root(definition)):
            where = f"{kind}{path}"
            anything = schema.get("x-kubernetes-preserve-unknown-fields")
            assert schema.get("type") or anything or schema.get("x-kubernetes-int-or-string"), where
            assert not {"$ref", "anyOf", "oneOf", "not", "title", "default", "const"} & set(schema), where
            if schema.get("type") == "array":
                bound = schema.get("maxItems") or schema["allOf"][0]["maxItems"]
                assert 0 < bound <= 10_000, where
                assert schema["x-kubernetes-list-type"] in ("atomic", "map"), where
            if schema.get("type") == "string" and path.startswith((".spec", ".status")):
                assert "maxLength" in schema or "enum" in schema, where
            if "additionalProperties" in schema:
                assert schema["maxProperties"] <= 10_000, where


def test_every_field_is_described() -> None:
    for kind, definition in DEFINITIONS.items():
        for path, schema in all_schemas(root(definition)):
            if path.startswith((".spec", ".status")) and not path.endswith(("[]", ".*")):
                said = schema.get("description", "")
                assert said.rstrip().endswith((".", "`.", "@monthly.")), f"{kind}{path}: {said!r}"
                assert len(said) >= 10, f"{kind}{path}"


def test_no_field_and_no_value_is_a_boolean_to_some_reader_of_yaml() -> None:
    words = set()
    for definition in DEFINITIONS.values():
        for path, schema in all_schemas(root(definition)):
            words.update(path.replace("[]", "").split("."))
            if not path.endswith(".cache"):  # `off` is understood as a boolean there too
                written_by_people = not path.startswith(".status")
                values = schema.get("enum", ()) if written_by_people else ()
                words.update(value for value in values if isinstance(value, str))
    assert not {word for word in words if word.lower() in YAML_1_1_BOOLEANS}


def test_what_can_be_selected_and_seen() -> None:
    (version,) = DEFINITIONS["Workflow"]["spec"]["versions"]
    assert version["subresources"] == {"status": {}}
    assert {".status.phase", ".status.settled"} <= {each["jsonPath"] for each in version["selectableFields"]}
    columns = {each["name"]: each.get("priority", 0) for each in version["additionalPrinterColumns"]}
    assert [name for name, priority in columns.items() if not priority] == [
        "Phase",
        "Progress",
        "Age",
        "Message",
    ]
    assert columns["Reason"] == 1


def test_all_of_a_workflow_but_three_fields_is_fixed() -> None:
    schema = root(DEFINITIONS["Workflow"])
    (rule,) = schema["x-kubernetes-validations"]
    fixed = set(re.findall(r"self\.spec\.(\w+) == oldSelf\.spec\.\1", rule["rule"]))
    assert fixed == set(schema["properties"]["spec"]["properties"]) - set(MUTABLE)


def test_rules_of_a_spec_that_cannot_change_hold_for_what_was_there_before() -> None:
    for kind in ("Workflow", "WorkflowTemplate"):
        for rule in rules_of_spec(kind):
            assert rule["optionalOldSelf"] is True
            assert rule["rule"].startswith("oldSelf.hasValue() || (")


def test_what_can_change_is_asked_each_time() -> None:
    for kind in ("CronWorkflow", "SlurmCluster"):
        assert not any("oldSelf" in rule["rule"] for rule in rules_of_spec(kind))


def test_unknown_fields_are_kept_for_the_operator_to_refuse() -> None:
    for path, schema in all_schemas(root(DEFINITIONS["Workflow"])["properties"]["spec"]):
        if schema.get("type") == "object" and "additionalProperties" not in schema:
            assert schema["x-kubernetes-preserve-unknown-fields"] is True, path


def test_kubectl_apply_can_keep_the_last_one_in_an_annotation() -> None:
    import json

    assert all(len(json.dumps(each)) < 200_000 for each in DEFINITIONS.values())
