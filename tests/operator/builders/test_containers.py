"""Container nodes: any image, inputs as environment."""

from __future__ import annotations

from typing import Any

import pytest
from headwater.errors import DocumentError
from headwater_operator.builders import UnitStep, artifact_outputs, unit_objects

from tests.operator.builders.golden import check
from tests.operator.builders.runs import BARE, CLAIM, run

CONTAINER = {"image": "busybox:1.36", "command": ["sh", "-c", "echo $(INPUT_X)"]}


def node(**more: Any) -> dict[str, Any]:
    extra = {key: more.pop(key) for key in ("artifacts", "image", "resources", "timeout") if key in more}
    return {"name": "say", "container": {**CONTAINER, **more}, "outputs": {"y": {"type": "int"}}, **extra}


def step(**inputs: Any) -> UnitStep:
    return UnitStep("say", 1, "main", "say", "container", inputs=inputs)


def main_of(objects: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    found: dict[str, Any] = objects[-1]["spec"]["containers"][0]
    return found


def test_a_container() -> None:
    written = node(
        args=["--fast"], workingDir="/work", env=[{"name": "LEVEL", "value": "$(INPUT_X)"}],
        envFrom=[{"secretRef": {"name": "token"}}], volumeMounts=[{"name": "data", "mountPath": "/data"}],
        securityContext={"runAsUser": 1234, "capabilities": {"add": ["NET_BIND_SERVICE"]}},
        resources={"limits": {"memory": "64Mi"}}, timeout="90s",
    )  # fmt: skip
    written["podTemplate"] = {
        "spec": {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]}
    }
    objects = unit_objects(run(written), CLAIM, step(x={"json": [1, "$2"]}, name={"json": "tom"}))
    check("container", objects)


@pytest.mark.parametrize(
    ("encoded", "text"),
    [
        ({"json": "plain text"}, "plain text"),
        ({"json": {"a": [1, None]}}, '{"a":[1,null]}'),
        ({"json": True}, "true"),
        ({"json": "$(PATH) costs $5"}, "$$(PATH) costs $$5"),
        ({"range": 3}, "[0,1,2]"),
        ({"list": [{"json": 1}, {"json": "é"}]}, '[1,"é"]'),
        ({"item": [{"json": ["a", "b"]}, 1]}, "b"),
    ],
)
def test_inputs_are_json_unless_they_are_strings(encoded: dict[str, Any], text: str) -> None:
    env = main_of(unit_objects(run(node()), BARE, step(x=encoded)))["env"]
    assert env[0] == {"name": "INPUT_X", "value": text}
    assert env[1] == {"name": "HEADWATER_RESULT", "value": "/dev/termination-log"}


@pytest.mark.parametrize(
    "encoded",
    [{"ref": "sha256:ab", "size": 40_000}, {"pickle": "gASV"}, {"items": {}, "length": 2},
     {"list": [{"pickle": "gASV"}]}],
)  # fmt: skip
def test_what_only_python_opens_is_refused(encoded: dict[str, Any]) -> None:
    with pytest.raises(DocumentError, match=r"input 'x'.*a container cannot read a Python object.*JSON"):
        unit_objects(run(node()), BARE, step(x=encoded))


def test_an_input_that_no_environment_holds_is_refused_before_there_is_a_pod() -> None:
    fits = "a" * (128 * 1024 - len("INPUT_X=") - 1)
    assert unit_objects(run(node()), BARE, step(x={"json": fits}))
    with pytest.raises(DocumentError, match=r"input 'x' has 131,073 bytes; a container takes 131,072"):
        unit_objects(run(node()), BARE, step(x={"json": fits + "a"}))
    many = {f"x{number}": {"json": "a" * 100_000} for number in range(11)}
    with pytest.raises(DocumentError, match=r"the inputs have 1,100,.* bytes"):
        unit_objects(run(node()), BARE, step(**many))


def test_half_a_character_is_refused() -> None:
    """What `os.listdir` gives for a file name that is not UTF-8."""
    with pytest.raises(DocumentError, match=r"input 'x' holds '\\ud800', half a character"):
        unit_objects(run(node()), BARE, step(x={"json": "a\ud800"}))


@pytest.mark.parametrize("patch", [{"$patch": "replace"}, None, {"seccompProfile": None}])
def test_no_template_takes_the_seccomp_profile_away(patch: Any) -> None:
    written = {**node(), "podTemplate": {"spec": {"securityContext": patch}}}
    pod = unit_objects(run(written), BARE, step(x={"json": 1}))[-1]["spec"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}


def test_two_inputs_of_one_variable_are_refused() -> None:
    with pytest.raises(DocumentError, match="'a-b' and 'a_b' are both INPUT_A_B"):
        unit_objects(run(node()), BARE, step(**{"a-b": {"json": 1}, "a_b": {"json": 2}}))


def test_the_users_own_variable_wins() -> None:
    written = node(env=[{"name": "INPUT_X", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}])
    env = main_of(unit_objects(run(written), BARE, step(x={"json": 1})))["env"]
    assert [variable["name"] for variable in env] == ["HEADWATER_RESULT", "INPUT_X"]
    assert "valueFrom" in env[1]


def test_nothing_is_said_about_user_and_root_of_a_foreign_image() -> None:
    pod = unit_objects(run(node()), CLAIM, step())[-1]["spec"]
    assert pod["securityContext"] == {"seccompProfile": {"type": "RuntimeDefault"}}
    assert pod["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    assert "volumes" not in pod


def test_resources_of_the_node_stand_above_those_of_the_container_and_of_defaults() -> None:
    defaults = {"resources": {"limits": {"cpu": "1"}}}
    own = {"limits": {"cpu": "2"}}
    above = {"limits": {"cpu": "4"}}
    inside = {"name": "say", "container": {**CONTAINER, "resources": own}}

    def resources(written: dict[str, Any]) -> Any:
        return main_of(unit_objects(run(written, defaults=defaults), BARE, step()))["resources"]

    assert resources(node()) == defaults["resources"]
    assert resources(inside) == own
    assert resources({**inside, "resources": above}) == above


def test_an_image_of_defaults_does_not_replace_the_containers() -> None:
    objects = unit_objects(run(node(), defaults={"image": "python:1"}), BARE, step())
    assert main_of(objects)["image"] == "busybox:1.36"


# ---------------------------------------------------------------- artifacts


def test_artifacts_are_folders_of_the_store() -> None:
    written = node(
        artifacts={
            "model": {"path": "/out/model.bin"}, "log": {"path": "/out/log.txt"},
            "table": {"path": "/data/deep/table.csv"},
        }
    )  # fmt: skip
    context = run(written)
    objects = unit_objects(context, CLAIM, step())
    check("artifacts", objects)
    outputs = artifact_outputs(context, CLAIM, step())
    folder = objects[-1]["spec"]["containers"][0]["volumeMounts"][1]["subPath"]
    assert outputs["model"] == {"json": f"/headwater/store/{folder}/model.bin"}


def test_a_container_that_is_given_a_file_of_the_store_sees_the_store() -> None:
    main = main_of(unit_objects(run(node()), CLAIM, step(x={"json": "/headwater/store/runs/u/a"})))
    assert main["volumeMounts"] == [{"name": "store", "mountPath": "/headwater/store", "readOnly": True}]


@pytest.mark.parametrize(
    "path", ["/model.bin", "out/model.bin", "/headwater/item", "/", "/headwater/store/x"]
)
def test_artifacts_at_places_that_cannot_be_mounted_are_refused(path: str) -> None:
    with pytest.raises(DocumentError, match="cannot be at"):
        unit_objects(run(node(artifacts={"model": {"path": path}})), CLAIM, step())


def test_artifacts_without_a_claim_are_refused() -> None:
    with pytest.raises(DocumentError, match="store is no claim"):
        unit_objects(run(node(artifacts={"model": {"path": "/out/model.bin"}})), BARE, step())
