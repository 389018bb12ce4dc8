"""Documents that cannot run: refused with the field and what to do, before there is a pod."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tests.cluster.api import ApiError, Json
from tests.cluster.workflows import GROUP, ON_PODS, Run, workflow
from tests.document.broken import BROKEN, GOOD, changed

pytestmark = ON_PODS

HEALTHY = """
nodes: [{name: a, container: !sh exit 0}]
"""
AT_ONCE = 4


@dataclass(frozen=True)
class Refusal:
    """How a document was refused: `run` is there when the API server had taken it."""

    field: str
    words: str
    said: str
    run: Run | None


def submitted(healthy: Run, number: int, document: Json) -> Run | str:
    """The run of a document, or why the API server does not take it. Each has a name of its own, or a broken one."""
    written = document["metadata"]
    metadata = {**written, "name": f"broken-{number}"} if written == GOOD["metadata"] else written
    run = Run(healthy.cluster, healthy.namespace, metadata["name"])
    try:
        healthy.api.post(f"{GROUP}/namespaces/{run.namespace}/workflows", {**document, "metadata": metadata})
    except ApiError as error:
        return str(error)
    return run


def refused(healthy: Run, number: int) -> Refusal:
    where, what, field, words = BROKEN[number]
    found = submitted(healthy, number, changed(where, what))
    if isinstance(found, str):
        return Refusal(field, words, found, None)
    status = found.ended("Failed").status
    assert status["reason"] == "InvalidSpec", status
    return Refusal(field, words, status["message"], found)


@workflow(HEALTHY)
def test_broken_documents_are_refused_with_the_field_and_no_pod_and_the_operator_goes_on(run: Run) -> None:
    run.ended("Succeeded")
    with ThreadPoolExecutor(AT_ONCE) as threads:
        found = list(threads.map(lambda number: refused(run, number), range(len(BROKEN))))
    by_operator = [each for each in found if each.run is not None]
    assert [each for each in by_operator if each.field not in each.said or each.words not in each.said] == []
    assert [each.run.name for each in by_operator if each.run is not None and each.run.pods()] == []
    assert len(by_operator) < len(found)
    assert run.another().ended("Succeeded").outputs == {}


@workflow("""
nodes:
- name: a
  container: !sh exit 0
  podTemplate: {spec: {hostNetwork: true, volumes: [{name: v, hostPath: {path: /}}]}}
""")
def test_a_pod_that_reaches_into_the_machine_is_refused(run: Run) -> None:
    status = run.ended("Failed").status
    assert status["reason"] == "InvalidSpec"
    assert "podTemplate.spec.hostNetwork" in status["message"]
    assert "podTemplate.spec.volumes[0].hostPath: gives the pod a folder of its machine" in status["message"]
    assert run.pods() == []


@workflow("""
template: {name: nobody}
""")
def test_a_template_that_is_not_there_is_named(run: Run) -> None:
    status = run.ended("Failed").status
    assert status["reason"] == "InvalidSpec"
    assert "there is no WorkflowTemplate of that name" in status["message"]


@workflow("""
template: {name: greeting, version: 4}
""")
def test_a_version_of_a_template_that_is_not_there_is_named(run: Run) -> None:
    status = run.ended("Failed").status
    assert (status["reason"], "it has version 3, not 4" in status["message"]) == ("InvalidSpec", True)
    assert "Register" in status["message"] or "register" in status["message"]


@workflow("""
nodes:
- name: a
  container: !sh exit 0
  inputs: {x: {value: "%s"}}
""" % ("x" * 140_000))  # fmt: skip
def test_an_input_that_does_not_fit_into_the_environment_is_refused_before_it_runs(run: Run) -> None:
    status = run.ended("Failed").status
    assert status["reason"] == "InvalidSpec"
    assert "inputs.x.value: is too long for an environment variable" in status["message"]
    assert run.pods() == []
