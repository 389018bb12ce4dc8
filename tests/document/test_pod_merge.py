"""The strategic merge does what `kubectl patch --type strategic` does."""

from __future__ import annotations

import pytest
from headwater.document.pod_merge import strategic_merge
from headwater.errors import DocumentError

POD = {
    "metadata": {"labels": {"app": "a"}, "finalizers": ["x"]},
    "spec": {
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "a", "operator": "Exists"}],
        "containers": [
            {
                "name": "main",
                "image": "one",
                "command": ["sh", "-c"],
                "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
                "resources": {"limits": {"cpu": "1"}},
            }
        ],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
        "imagePullSecrets": [{"name": "one"}],
    },
}


def spec_with(patch: dict[str, object]) -> dict[str, object]:
    found: dict[str, object] = strategic_merge(POD, {"spec": patch})["spec"]
    return found


def main_with(patch: dict[str, object]) -> dict[str, object]:
    found = spec_with({"containers": [{"name": "main", **patch}]})["containers"]
    assert isinstance(found, list)
    return found[0]  # type: ignore[no-any-return]  # a container


def test_containers_are_merged_by_name() -> None:
    assert main_with({"image": "two"}) == {**POD["spec"]["containers"][0], "image": "two"}  # type: ignore[index]
    both = spec_with({"containers": [{"name": "side", "image": "s"}]})["containers"]
    assert [each["name"] for each in both] == ["main", "side"]  # type: ignore[attr-defined]


def test_env_is_merged_by_name_and_mounts_by_path() -> None:
    assert main_with({"env": [{"name": "B", "value": "9"}, {"name": "C", "value": "3"}]})["env"] == [
        {"name": "A", "value": "1"}, {"name": "B", "value": "9"}, {"name": "C", "value": "3"},
    ]  # fmt: skip
    mounts = [{"name": "big", "mountPath": "/tmp"}, {"name": "data", "mountPath": "/data"}]
    assert main_with({"volumeMounts": mounts})["volumeMounts"] == mounts


def test_a_variable_from_elsewhere_takes_the_place_of_a_value() -> None:
    source = {"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    assert main_with({"env": [source]})["env"] == [source, {"name": "B", "value": "2"}]


def test_lists_without_a_merge_key_are_replaced() -> None:
    assert main_with({"command": ["true"]})["command"] == ["true"]
    tolerations = [{"key": "b", "operator": "Exists"}]
    assert spec_with({"tolerations": tolerations})["tolerations"] == tolerations


def test_maps_are_merged_and_null_deletes() -> None:
    assert spec_with({"nodeSelector": {"zone": "a"}})["nodeSelector"] == {"disk": "ssd", "zone": "a"}
    assert spec_with({"nodeSelector": {"disk": None}})["nodeSelector"] == {}
    assert "nodeSelector" not in spec_with({"nodeSelector": None})
    assert main_with({"resources": {"limits": {"memory": "1Gi"}}})["resources"] == {
        "limits": {"cpu": "1", "memory": "1Gi"}
    }


def test_a_volume_of_another_kind_takes_the_place_of_one_of_its_name() -> None:
    claim = {"name": "tmp", "persistentVolumeClaim": {"claimName": "big"}}
    assert spec_with({"volumes": [claim]})["volumes"] == [claim]
    sized = {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}}
    assert spec_with({"volumes": [sized]})["volumes"] == [sized]


def test_directives() -> None:
    assert spec_with({"containers": [{"name": "main", "$patch": "delete"}]})["containers"] == []
    replaced = [{"$patch": "replace"}, {"name": "only"}]
    assert spec_with({"containers": replaced})["containers"] == [{"name": "only"}]
    assert main_with({"$patch": "replace", "image": "two"}) == {"name": "main", "image": "two"}
    assert spec_with({"volumes": [{"name": "tmp", "$retainKeys": ["name"]}]})["volumes"] == [{"name": "tmp"}]
    assert spec_with({"$setElementOrder/containers": [{"name": "main"}]}) == POD["spec"]
    merged = strategic_merge(
        POD, {"metadata": {"$deleteFromPrimitiveList/finalizers": ["x"], "finalizers": ["y"]}}
    )
    assert merged["metadata"]["finalizers"] == ["y"]


def test_an_element_without_its_key_is_refused() -> None:
    with pytest.raises(DocumentError, match=r"spec.containers: every element needs `name`"):
        spec_with({"containers": [{"image": "x"}]})


def test_neither_side_is_changed() -> None:
    before = repr(POD)
    spec_with({"containers": [{"name": "main", "env": [{"name": "A", "value": "9"}]}]})
    assert repr(POD) == before
