"""Blocks that run in one pod: every task with a state of its own, resumed where they were when the pod dies."""

from __future__ import annotations

from tests.cluster.workflows import ON_PODS, Run, workflow

pytestmark = ON_PODS

CHAIN = """
nodes:
- name: make
  task: tasks:make
  inputs: {size: {value: 4}}
  outputs: {numbers: {type: list}}
- name: add
  task: tasks:add
  inputs: {numbers: {from: make.numbers}}
  outputs: {total: {type: int}}
- name: double
  task: tasks:double
  inputs: {number: {from: add.total}}
  outputs: {number: {type: int}}
"""


@workflow("placement: unit\n" + CHAIN)
def test_an_entry_block_that_is_a_unit_is_one_pod(run: Run) -> None:
    assert run.ended("Succeeded").outputs == {"number": 12}
    assert len(run.pods()) == 1
    assert run.phases == {"make": "Succeeded", "add": "Succeeded", "double": "Succeeded"}
    assert all(len(node["at"]) == 3 and node["attempts"] == 1 for node in run.nodes.values())
    assert run.status["progress"] == "3/3"


@workflow("placement: auto\n" + CHAIN)
def test_a_chain_shares_a_pod_where_that_is_left_open(run: Run) -> None:
    assert run.ended("Succeeded").outputs == {"number": 12}
    assert len(run.pods()) == 1
    assert set(run.phases.values()) == {"Succeeded"}


@workflow("placement: auto\n" + CHAIN + "  resources: {requests: {cpu: 10m}}\n")
def test_a_node_that_asks_for_something_has_a_pod_of_its_own(run: Run) -> None:
    assert run.ended("Succeeded").outputs == {"number": 12}
    assert len(run.pods()) == 3


@workflow("""
nodes:
- name: size
  container: !sh printf '{"size":3}' > $HEADWATER_RESULT
  outputs: {size: {type: int}}
- name: inside
  call: {block: together}
  inputs: {size: {from: size.size}}
- name: after
  container: !sh printf '{"seen":%s}' "$INPUT_TOTAL" > $HEADWATER_RESULT
  inputs: {total: {from: inside.total}}
  outputs: {seen: {type: int}}
blocks:
- name: together
  placement: unit
  inputs: {size: {type: int}}
  outputs: {total: {from: add.total}}
  nodes:
  - name: make
    task: tasks:make
    inputs: {size: {from: inputs.size}}
    outputs: {numbers: {type: list}}
  - name: twice
    map: {task: "tasks:double", over: {number: {from: make.numbers}}}
    outputs: {number: {type: int}}
  - name: ask
    condition: {input: {from: make.numbers}, operator: exists}
  - name: never
    task: tasks:refuse
    branch: {of: ask, when: false}
  - name: add
    task: tasks:add
    inputs: {numbers: {from: twice.number}}
    outputs: {total: {type: int}}
""")
def test_a_unit_among_programs_with_a_map_and_a_branch_inside(run: Run) -> None:
    assert run.ended("Succeeded").outputs == {"seen": 6}
    assert len(run.pods()) == 3
    assert run.phases["inside/twice"] == "Succeeded"
    assert run.nodes["inside/twice"]["items"]["total"] == 3
    assert run.phases["inside/never"] == "Skipped"


@workflow("""
placement: unit
nodes:
- name: good
  task: tasks:make
  inputs: {size: {value: 2}}
  outputs: {numbers: {type: list}}
- name: bad
  task: tasks:refuse
  inputs: {number: {value: 1}}
  retry: {limit: 1}
  dependsOn: [good]
- name: never
  task: tasks:show
  inputs: {value: {value: 1}}
  dependsOn: [bad]
""")
def test_a_failure_in_a_unit_names_the_task(run: Run) -> None:
    status = run.ended("Failed").status
    assert "bad ValueError: no: 1" in status["message"]
    assert run.phases["good"] == "Succeeded"
    assert run.nodes["bad"]["phase"] == "Failed"
    assert run.nodes["bad"]["attempts"] == 2
    assert len(run.pods()) == 1


RESUMED = """
placement: unit
nodes:
- name: before
  task: tasks:count
  inputs: {name: {value: %(name)s-before}}
  outputs: {count: {type: int}}
- name: dies
  task: tasks:%(does)s
  inputs: {name: {value: %(name)s}}
  outputs: {attempts: {type: int}}
  dependsOn: [before]
outputs: {count: {from: before.count}, attempts: {from: dies.attempts}}
"""


@workflow(RESUMED % {"name": "unit-killed", "does": "count_and_kill_the_pod"})
def test_a_unit_whose_process_is_killed_goes_on_after_what_had_ended(run: Run) -> None:
    assert run.ended("Failed").phases["before"] == "Succeeded"


@workflow(RESUMED % {"name": "unit-deleted", "does": "count_and_wait"})
def test_a_unit_whose_pod_is_deleted_goes_on_after_what_had_ended(run: Run) -> None:
    (pod,) = run.until_pods("Running")
    run.until_log(pod["metadata"]["annotations"]["headwater.dev/path"], "begins to wait")
    run.api.delete(f"/api/v1/namespaces/{run.namespace}/pods/{pod['metadata']['name']}")
    assert run.ended("Succeeded").outputs == {"count": 1, "attempts": 2}
    assert len(run.pods()) == 1
    assert run.phases == {"before": "Succeeded", "dies": "Succeeded"}


@workflow("""
nodes:
- name: inside
  call: {block: together}
  retry: {limit: 1}
blocks:
- name: together
  placement: unit
  outputs: {count: {from: before.count}, attempts: {from: dies.attempts}}
  nodes:
  - name: before
    task: tasks:count
    inputs: {name: {value: retried-before}}
    outputs: {count: {type: int}}
  - name: dies
    task: tasks:count_and_kill_the_pod
    inputs: {name: {value: retried}}
    outputs: {attempts: {type: int}}
    dependsOn: [before]
""")
def test_a_unit_that_is_killed_is_tried_again_after_what_had_ended(run: Run) -> None:
    assert run.ended("Succeeded").outputs == {"count": 1, "attempts": 2}
    assert len(run.pods()) == 2
