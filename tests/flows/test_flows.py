"""Flows and flows of flows: registering, mapping, running, and each wrong composition."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from headwater import Flow, FlowOfFlows, RawMappedParameter, load_flow, task, workflow
from headwater.configuration import config
from headwater.document import dump_yaml, lint
from headwater.flows import (
    DuplicateFlowError,
    EmptyResultError,
    FlowError,
    FlowFailedError,
    ParameterNotInFlowError,
    ParentAfterChildError,
    ParentFlowNotInFlowsError,
    SelfMappingError,
    TaskNotInFlowError,
    load_db_result,
    load_file,
    save_db_result,
    save_file,
)
from PIL import Image

from tests.flows import science

FLOWS = {"producer": science.producer, "consumer": science.consumer, "reporting": science.reporting}

MAPPED: dict[str, Any] = {
    "a": {"parent_flow_name": "producer", "parent_task_name": "make"},
    "f": {"parent_flow_name": "producer", "parent_task_name": "write", "map_type": "file"},
    "both": {"parent_flow_name": "producer", "parent_task_name": "stats", "map_type": "raw"},
    "d": {
        "parent_flow_name": "producer",
        "parent_task_name": "save",
        "map_type": "db",
        "attribute_index": ["table", "rows", 1],
    },
}


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name, made in FLOWS.items():
        Flow(name=name, project_name="science", workflow=made).register()


def entries(**changes: Any) -> list[dict[str, Any]]:
    report = {"r": {"parent_flow_name": "consumer", "parent_task_name": "use", "map_type": "raw"}}
    found = [
        {"name": "producer", "project_name": "science"},
        {"name": "consumer", "project_name": "science", "mapped_parameters": dict(MAPPED)},
        {"name": "reporting", "project_name": "science", "mapped_parameters": report},
    ]
    for entry in found:
        entry.update(changes.get(str(entry["name"]), {}))
    return found


def test_registering_makes_versions_and_nothing_new_is_the_same_version(registered) -> None:
    flow = Flow(name="producer", project_name="science", workflow=science.producer)
    assert flow.register() == "science/producer:1"

    @task
    def other() -> {"y": int}:
        return 1

    @workflow
    def changed():
        other()

    assert Flow(name="producer", project_name="science", workflow=changed).register() == "science/producer:2"
    assert load_flow("producer", "science").version == 2
    assert load_flow("producer", "science", version=1).tasks.keys() == {
        "make",
        "stats",
        "where",
        "write",
        "save",
    }


def test_a_loaded_flow_knows_its_parameters_and_runs(registered, tmp_path: Path) -> None:
    flow = load_flow("producer", "science")
    assert flow.parameters["x"]["default"] == 2
    results = flow.run_and_return({"x": 3, "folder": str(tmp_path)})
    assert results["make"] == 30
    assert results["stats"] == {"low": 29, "high": 31}
    assert flow.run_and_return({"x": 3, "folder": str(tmp_path)}, "make") == 30
    with pytest.raises(FlowError, match=r"has no task 'mkae'"):
        flow.run_and_return({"folder": "."}, "mkae")


def test_a_flow_that_is_not_registered_lists_those_that_are(registered) -> None:
    with pytest.raises(FlowError, match=r"Registered there: consumer, producer, reporting"):
        load_flow("producr", "science")


@pytest.mark.parametrize("backend", ["default", "parallel"])
def test_mapped_values_reach_the_child(registered, tmp_path: Path, backend: str) -> None:
    flows = FlowOfFlows(name="all", project_name="science", composing_flows=entries())
    assert list(flows.parameters) == ["producer-x", "producer-folder", "consumer-scale", "reporting-extra"]
    given = {"producer-x": 4, "producer-folder": str(tmp_path), "reporting-extra": 7, "consumer-scale": 2}
    results = flows.run_and_return(given, backend=backend)
    # a = 40, file = 40, db = 45, high = 41
    assert results["consumer/use"] == 332
    assert results["use"] == 332
    assert results["reporting/report"] == "332 and 7"
    assert flows.run_and_return(given, "report", backend=backend) == "332 and 7"


def test_a_composition_is_an_ordinary_document(registered) -> None:
    flows = FlowOfFlows(name="all", project_name="science", composing_flows=entries())
    document = flows.compose()
    assert lint(dump_yaml(document)) == []
    calls = [node["call"] for node in document["spec"]["blocks"][0]["nodes"] if "call" in node]
    assert [call["template"] for call in calls] == ["producer", "consumer", "reporting"]


def test_a_registered_composition_runs_by_its_name(registered, tmp_path: Path) -> None:
    flows = FlowOfFlows(name="all", project_name="science", composing_flows=entries())
    assert flows.compose_and_register() == "science/all:1"
    given = {"producer-folder": str(tmp_path), "reporting-extra": 1}
    assert load_flow("all", "science").run_and_return(given)["consumer/use"] == 86


def test_from_yaml_as_file_text_and_mapping(registered, tmp_path: Path) -> None:
    written = {"name": "all", "project_name": "science", "image": "base:1", "composing_flows": entries()}
    file = tmp_path / "flows.yaml"
    file.write_text(yaml.safe_dump(written))
    for source in (file, str(file), yaml.safe_dump(written), written):
        flows = FlowOfFlows.from_yaml(source)
        assert list(flows.composing_flows) == ["producer", "consumer", "reporting"]
        assert flows.image == "base:1"


def test_unregistered_workflows_compose_too(registered, tmp_path: Path) -> None:
    flows = FlowOfFlows(
        name="direct",
        composing_flows=[
            {"name": "one", "workflow": science.producer},
            {
                "name": "two",
                "workflow": science.reporting,
                "mapped_parameters": {"r": RawMappedParameter("one", "make")},
            },
        ],
    )
    given = {"one-x": 1, "one-folder": str(tmp_path), "two-extra": 2}
    assert flows.run_and_return(given, "two/report") == "10 and 2"


def test_the_first_failure_fails_the_composition(registered, tmp_path: Path) -> None:
    flows = FlowOfFlows(name="all", project_name="science", composing_flows=entries())
    with pytest.raises(FlowFailedError, match=r"producer/make: ValueError: x is negative") as failed:
        flows.run({"producer-x": -1, "producer-folder": str(tmp_path), "reporting-extra": 7})
    result = failed.value.result
    assert {path: result.nodes[path].phase for path in ("producer", "consumer")} == {
        "producer": "Failed",
        "consumer": "Skipped",
    }
    assert isinstance(failed.value.__cause__, ValueError)


def _mapped(parameter: str, **fields: Any) -> dict[str, Any]:
    source = {"parent_flow_name": "producer", "parent_task_name": "make", **fields}
    return {"mapped_parameters": {**MAPPED, parameter: source}}


WRONG: list[tuple[dict[str, Any], type[Exception], list[str]]] = [
    ({"consumer": _mapped("nothing")}, ParameterNotInFlowError, ["consumer", "nothing", "scale"]),
    ({"consumer": _mapped("a", parent_flow_name="gone")}, ParentFlowNotInFlowsError, ["gone", "consumer"]),
    ({"consumer": _mapped("a", parent_task_name="gone")}, TaskNotInFlowError, ["gone", "producer", "make"]),
    (
        {"consumer": _mapped("a", parent_flow_name="reporting", parent_task_name="report")},
        ParentAfterChildError,
        ["reporting", "consumer"],
    ),
    ({"consumer": _mapped("a", parent_flow_name="consumer")}, SelfMappingError, ["consumer", "a"]),
    ({"consumer": {"name": "producer"}}, DuplicateFlowError, ["producer"]),
    ({"consumer": _mapped("a", map_type="sql")}, FlowError, ["sql", "raw, file, db"]),
    ({"consumer": _mapped("a", attribute_index=[1])}, FlowError, ["attribute_index"]),
    ({"consumer": _mapped("a", colour="red")}, FlowError, ["colour"]),
    ({"consumer": {"mapped_parameters": {"a": 3}}}, FlowError, ["must be a mapping"]),
    ({"consumer": {"colour": "red"}}, FlowError, ["colour"]),
    ({"consumer": {"name": "unregistered"}}, FlowError, ["unregistered", "science"]),
]


@pytest.mark.parametrize(("changes", "error", "words"), WRONG)
def test_a_wrong_composition_has_an_error_of_its_own(registered, changes, error, words) -> None:
    with pytest.raises(error) as refused:
        FlowOfFlows(name="all", project_name="science", composing_flows=entries(**changes))
    assert isinstance(refused.value, FlowError)
    assert [word for word in words if word not in str(refused.value)] == []


def test_an_empty_result_is_an_error_when_it_is_asked_for(registered) -> None:
    @task
    def nothing() -> None:
        return

    @workflow
    def quiet():
        nothing()

    with pytest.raises(EmptyResultError, match="'nothing' of flow 'quiet' has no result"):
        Flow(name="quiet", workflow=quiet).run_and_return({}, "nothing")


VALUES: list[tuple[str, Any]] = [
    ("text.txt", "grüße"),
    ("data.yaml", {"a": [1, 2]}),
    ("data.json", {"a": [1, 2.5, None]}),
    ("array.npy", np.arange(6).reshape(2, 3)),
    ("arrays.h5", {"x": np.arange(3), "group": {"y": np.ones(2)}, "name": "run"}),
    ("table.parquet", pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})),
    ("picture.png", Image.fromarray(np.zeros((2, 3), dtype=np.uint8))),
]


@pytest.mark.parametrize("where", ["local", "mounted", "memory://flows"])
@pytest.mark.parametrize(("name", "value"), VALUES, ids=[name for name, _ in VALUES])
def test_every_type_of_file_on_every_file_system(
    name: str, value: Any, where: str, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with config.override({"filesystems": {"mounted": {"path": str(tmp_path / "mnt")}}}):
        record = save_file(value, name, filesystem_identifier=where)
        assert set(record) == {"filename", "file_type", "filesystem_identifier"}
        found = load_file(json.loads(json.dumps(record)))
    if isinstance(value, pd.DataFrame):
        pd.testing.assert_frame_equal(found, value)
    elif isinstance(value, Image.Image):
        assert np.array_equal(np.asarray(found), np.asarray(value))
    elif name == "arrays.h5":
        assert found["name"] == "run"
        assert np.array_equal(found["x"], value["x"])
        assert np.array_equal(found["group"]["y"], value["group"]["y"])
    else:
        assert np.array_equal(found, value) if isinstance(value, np.ndarray) else found == value


def test_files_that_cannot_be(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FlowError, match="File types: text, yaml"):
        save_file(1, "x.doc")
    with pytest.raises(FlowError, match="cannot be written as text"):
        save_file(1, "x.txt")
    with pytest.raises(FlowError, match="there is no file system 'nas'"):
        save_file("1", "x.txt", filesystem_identifier="nas")
    with pytest.raises(FlowError, match="there is no file"):
        load_file({"filename": "x.txt", "file_type": "text", "filesystem_identifier": "local"})
    with pytest.raises(FlowError, match="lacks file_type"):
        load_file({"filename": "x.txt", "filesystem_identifier": "local"})


def test_database_results() -> None:
    record = save_db_result(table={"rows": [1, 2]}, array=np.arange(3))
    assert load_db_result(record, ["table", "rows", 1]) == 2
    assert np.array_equal(load_db_result(record, "array"), np.arange(3))
    assert set(load_db_result(record)) == {"table", "array"}
    assert load_db_result(save_db_result(only=5)) == 5
    with pytest.raises(FlowError, match=r"step 1 \('gone'\) leads nowhere"):
        load_db_result(record, ["table", "gone"])
    with pytest.raises(FlowError, match="save_db_result"):
        load_db_result({"x": 1})
    with pytest.raises(EmptyResultError):
        save_db_result()


def test_compose_writes_a_dockerfile_where_there_is_no_engine(
    registered, monkeypatch, caplog, headwater_home
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    flows = FlowOfFlows(name="all", project_name="science", image="base:1", composing_flows=entries())
    flows.compose("mine/all", "v2")
    written = (headwater_home / "images" / "mine_all" / "Dockerfile").read_text()
    assert "FROM base:1" in written
    assert "docker build -t mine/all:v2" in caplog.text
    assert flows.image == "mine/all:v2"


def test_flows_on_the_command_line(tmp_path: Path, headwater_home: Path) -> None:
    (tmp_path / "science.py").write_text(Path(science.__file__).read_text())
    flowctl = [str(Path(sys.executable).parent / "flowctl"), "flows"]

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*flowctl, *words],
            cwd=tmp_path,
            env={**os.environ, "HEADWATER_HOME": str(headwater_home)},
            capture_output=True,
            text=True,
            check=False,
        )

    for name in FLOWS:
        assert call("register", f"science:{name}", "-P", "science").returncode == 0
    listed = json.loads(call("list", "-o", "json").stdout)
    assert {each["name"] for each in listed} == set(FLOWS)
    (tmp_path / "all.yaml").write_text(
        yaml.safe_dump({"name": "all", "project_name": "science", "composing_flows": entries()})
    )
    assert "registered science/all:1" in call("register", "all.yaml").stdout
    ran = call(
        "run",
        "all",
        "-P",
        "science",
        "-p",
        f"producer-folder={tmp_path}",
        "-p",
        "reporting-extra=3",
        "-o",
        "json",
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout).get("reporting/report") == "86 and 3", ran.stdout
    assert "producer-x" in call("show", "all", "-P", "science").stdout
    refused = call("run", "gone", "-P", "science")
    assert refused.returncode == 2
    assert "no flow 'gone'" in refused.stderr
    assert "producer-x" in call("show", "science/all").stdout  # as `register` prints it
    text = call("run", "science/all", "-p", f"producer-folder={tmp_path}", "-p", "reporting-extra=3").stdout
    assert text.count("86 and 3") == 1, text
