"""Every kind of node on real pods, but for containers and maps, which have files of their own."""

from __future__ import annotations

import pytest

from tests.cluster.workflows import ON_PODS, Run, workflow

pytestmark = ON_PODS

DOUBLING = """
- name: doubling
  inputs: {number: {type: int}}
  outputs: {number: {from: double.number}}
  nodes:
  - name: double
    container: !sh printf '{"number":%d}' "$((2 * INPUT_NUMBER))" > $HEADWATER_RESULT
    inputs: {number: {from: inputs.number}}
    outputs: {number: {type: int}}
"""


# ---------------------------------------------------------------- tasks and calls


@workflow("""
arguments: {size: 4}
inputs: {size: {type: int, default: 2}}
nodes:
- name: make
  task: tasks:make
  inputs: {size: {from: inputs.size}}
  outputs: {numbers: {type: list}}
- name: add
  task: tasks:add
  dependsOn: [make]
  outputs: {total: {type: int}}
""")
def test_a_task_takes_what_the_task_before_it_gives_by_name(run: Run) -> None:
    assert run.ended("Succeeded").outputs == {"total": 6}
    assert (run.status["progress"], len(run.pods())) == ("2/2", 2)


@workflow(
    """
nodes:
- name: outer
  call: {block: twice}
  inputs: {number: {value: 3}}
blocks:
- name: twice
  inputs: {number: {type: int}}
  nodes:
  - name: one
    call: {block: doubling}
    inputs: {number: {from: inputs.number}}
  - name: two
    call: {block: doubling}
    inputs: {number: {from: one.number}}
"""
    + DOUBLING
)
def test_a_block_calls_a_block(run: Run) -> None:
    assert run.ended("Succeeded").outputs == {"number": 12}
    assert run.phases == {
        "outer": "Succeeded", "outer/one": "Succeeded", "outer/one/double": "Succeeded",
        "outer/two": "Succeeded", "outer/two/double": "Succeeded",
    }  # fmt: skip


@workflow("""
template: {name: greeting, version: 3}
arguments: {who: Ada}
""")
def test_a_run_of_a_template(run: Run) -> None:
    assert run.ended("Succeeded").outputs == {"words": "hello Ada"}


@workflow("""
nodes:
- name: greet
  call: {template: greeting}
  inputs: {who: {value: Bob}}
- name: each
  map: {call: {template: greeting, version: 3}, over: {who: {value: [Eve]}}}
outputs: {one: {from: greet.words}, each: {from: each.words}}
""")
def test_a_node_that_calls_a_template(run: Run) -> None:
    assert run.ended("Succeeded").outputs == {"one": "hello Bob", "each": ["hello Eve"]}
    assert run.phases["greet/greet"] == "Succeeded"


# ---------------------------------------------------------------- again and again


@workflow("""
nodes:
- name: again
  loop: {block: body, iterations: 3}
blocks:
- name: body
  nodes:
  - name: count
    container: !sh echo "pass of $HOSTNAME"
""")
def test_a_loop_runs_its_block_so_many_times(run: Run) -> None:
    assert run.ended("Succeeded").phases["again"] == "Succeeded"
    assert len(run.pods()) == 3


ITERATE = """
nodes:
- name: grow
  iterate: {block: body, maxIterations: %s, initial: {value: {from: inputs.start}}%s}
inputs: {start: {type: int, default: 3}}
outputs: {value: {from: grow.value}}
blocks:
- name: body
  inputs: {value: {type: int}}
  nodes:
  - name: double
    container: !sh printf '{"value":%%d}' "$((2 * INPUT_VALUE))" > $HEADWATER_RESULT
    inputs: {value: {from: inputs.value}}
    outputs: {value: {type: int}}
"""


@workflow(ITERATE % (2, ""))
def test_an_iteration_feeds_its_outputs_back(run: Run) -> None:
    assert run.ended("Succeeded").outputs == {"value": 12}


@workflow(ITERATE % (9, ', until: {task: "tasks:is_large"}'))
def test_an_iteration_ends_when_a_function_of_its_outputs_says_so(run: Run) -> None:
    assert run.ended("Succeeded").outputs == {"value": 24}
    assert len(run.pods()) == 3 + 3


# ---------------------------------------------------------------- branches

BRANCHES = """
nodes:
- name: make
  container: !sh printf '{"number":4}' > $HEADWATER_RESULT
  outputs: {number: {type: int}}
- name: ask
  condition: {%s}
  inputs: {number: {from: make.number}}
- name: yes-it-is
  container: !sh printf '{"said":"yes"}' > $HEADWATER_RESULT
  branch: {of: ask, when: true}
  outputs: {said: {type: str}}
- name: no-it-is-not
  container: !sh printf '{"said":"no"}' > $HEADWATER_RESULT
  branch: {of: ask, when: false}
  outputs: {said: {type: str}}
- name: both
  merge: {}
  dependsOn: [yes-it-is, no-it-is-not]
- name: after
  container: !sh printf '{"heard":"%%s"}' "$INPUT_SAID" > $HEADWATER_RESULT
  inputs: {said: {from: both.said}}
  outputs: {heard: {type: str}}
"""
QUESTIONS = {
    "a task": ('task: "tasks:is_even"', "yes"),
    "in": ("input: {from: make.number}, operator: in, values: [3, 4]", "yes"),
    "not in": ("input: {from: make.number}, operator: notIn, values: [3, 4]", "no"),
    "exists": ("input: {from: make.number}, operator: exists", "yes"),
}


@pytest.mark.parametrize(
    "answer",
    [pytest.param(a, marks=workflow(BRANCHES % q), id=name) for name, (q, a) in QUESTIONS.items()],
)
def test_a_condition_chooses_a_branch_and_a_merge_passes_it_on(run: Run, answer: str) -> None:
    assert run.ended("Succeeded").outputs == {"heard": answer}
    phases = run.phases
    assert (phases["yes-it-is"], phases["no-it-is-not"]) == (
        ("Succeeded", "Skipped") if answer == "yes" else ("Skipped", "Succeeded")
    )


@workflow("""
inputs: {mode: {type: str, default: fast}}
nodes:
- name: slow-only
  container: !sh exit 1
  when: {input: {from: inputs.mode}, operator: in, values: [slow]}
- name: fast-only
  container: !sh exit 0
  when: {input: {from: inputs.mode}, operator: notIn, values: [slow]}
- name: after-slow
  container: !sh exit 1
  dependsOn: [slow-only]
""")
def test_a_node_whose_when_does_not_hold_is_skipped_with_what_follows(run: Run) -> None:
    run.ended("Succeeded")
    assert run.phases == {"slow-only": "Skipped", "fast-only": "Succeeded", "after-slow": "Skipped"}
    assert len(run.pods()) == 1


@workflow("""
nodes:
- name: first
  race: {blocks: [slow, quick]}
- name: after
  container: !sh printf '{"winner":"%s"}' "$INPUT_WHO" > $HEADWATER_RESULT
  inputs: {who: {from: first.who}}
  outputs: {winner: {type: str}}
blocks:
- name: slow
  nodes:
  - name: run
    container: !sh trap 'exit 1' TERM; sleep 3600 & wait
    outputs: {who: {type: str}}
- name: quick
  nodes:
  - name: run
    container: !sh printf '{"who":"quick"}' > $HEADWATER_RESULT
    outputs: {who: {type: str}}
""")
def test_the_first_of_a_race_wins_and_the_other_is_cancelled(run: Run) -> None:
    assert run.ended("Succeeded").outputs == {"winner": "quick"}
    assert run.phases["first/slow/run"] == "Cancelled"
    assert run.phases["first/quick/run"] == "Succeeded"


# ---------------------------------------------------------------- waiting


@workflow("""
nodes:
- name: wait
  suspend: {duration: 3s}
- name: after
  container: !sh exit 0
  dependsOn: [wait]
""")
def test_a_run_waits_for_a_time(run: Run) -> None:
    run.ended("Succeeded")
    assert run.phases == {"wait": "Succeeded", "after": "Succeeded"}


APPROVAL = """
nodes:
- name: ask
  suspend: {approval: {message: "Publish?"%s}}
- name: publish
  container: !sh printf '{"by":"%%s"}' "$INPUT_BY" > $HEADWATER_RESULT
  inputs: {by: {from: ask.approvedBy}}
  outputs: {by: {type: str}}
"""


@workflow(APPROVAL % "")
def test_a_person_approves_and_is_named(run: Run) -> None:
    node = run.until_node("ask", "Suspended")
    assert node["waiting"] == "approval: Publish?"
    assert run.until(lambda status: status["phase"] == "Suspended")["message"] == "ask: approval: Publish?"
    assert run.pods() == []
    run.answer("ask", by="ada@example.com")
    assert run.ended("Succeeded").outputs == {"by": "ada@example.com"}
    assert run.nodes["ask"]["message"] == "approved by ada@example.com"


@workflow(APPROVAL % "")
def test_a_person_refuses_and_is_named(run: Run) -> None:
    run.until_node("ask", "Suspended")
    run.answer("ask", by="bob", granted=False)
    run.ended("Failed")
    assert run.nodes["ask"]["error"]["message"] == "refused by bob"
    assert run.pods() == []


@workflow(APPROVAL % ", timeout: 2s")
def test_nobody_answers(run: Run) -> None:
    run.ended("Failed")
    assert run.nodes["ask"]["error"] == {
        "type": "Timeout", "message": "nobody approved in time", "class": "Timeout", "node": "ask",
    }  # fmt: skip


# ---------------------------------------------------------------- after a failure


@workflow("""
nodes:
- name: bad
  container: !sh echo the disk is full >&2; exit 4
- name: good
  container: !sh exit 0
- name: mend
  task: tasks:tell
  inputs: {error: {from: bad.error}}
  dependsOn: [{node: bad, outcome: failed}]
  outputs: {told: {type: str}}
- name: unneeded
  container: !sh exit 1
  dependsOn: [{node: good, outcome: failed}]
- name: always
  container: !sh exit 0
  dependsOn: [{node: bad, outcome: finished}, {node: good, outcome: finished}]
- name: never
  container: !sh exit 1
  dependsOn: [bad]
outputs: {told: {from: mend.told}}
""")
def test_nodes_run_after_a_failure_or_either_outcome(run: Run) -> None:
    assert "exit code 4: the disk is full" in run.ended("Succeeded").outputs["told"]
    assert run.phases == {
        "bad": "Failed", "good": "Succeeded", "mend": "Succeeded", "unneeded": "Skipped",
        "always": "Succeeded", "never": "Skipped",
    }  # fmt: skip


@workflow("""
nodes:
- name: bad
  container: !sh echo the disk is full >&2; exit 4
- name: tell
  container: !py |
    import os
    print(os.environ["INPUT_ERROR"])
  inputs: {error: {from: bad.error}}
  dependsOn: [{node: bad, outcome: finished}]
""")
def test_a_program_reads_the_error_of_another_whose_failure_still_counts(run: Run) -> None:
    run.ended("Failed")
    assert run.phases == {"bad": "Failed", "tell": "Succeeded"}
    assert "the disk is full" in run.log("tell")
