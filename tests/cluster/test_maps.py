"""Maps on real pods: programs, Python tasks and blocks, once for each item."""

from __future__ import annotations

from tests.cluster.workflows import ON_PODS, Run, workflow

pytestmark = ON_PODS


@workflow("""
nodes:
- name: each
  map:
    container: !sh
      printf '{"item":%s,"index":%s,"k":"%s"}' "$(cat /headwater/item)" "$(cat /headwater/index)" "$INPUT_K"
      > $HEADWATER_RESULT
    over: {x: {range: 3}}
  inputs: {k: {value: "$1"}}
  outputs: {item: {type: int}, index: {type: int}, k: {type: str}}
- name: again
  map:
    container: !sh printf '{"twice":%d}' "$((2 * $(cat /headwater/item)))" > $HEADWATER_RESULT
    over: {x: {from: each.item}}
  outputs: {twice: {type: int}}
outputs: {item: {from: each.item}, index: {from: each.index}, k: {from: each.k}, twice: {from: again.twice}}
""")
def test_programs_over_a_range_and_over_the_results_of_others(run: Run) -> None:
    assert run.ended("Succeeded").outputs == {
        "item": [0, 1, 2], "index": [0, 1, 2], "k": ["$1"] * 3, "twice": [0, 2, 4],
    }  # fmt: skip
    assert run.nodes["each"]["items"] == {"total": 3, "succeeded": "0-2"}


@workflow("""
nodes:
- name: each
  map:
    container: !sh printf '{"item":%s}' "$(cat /headwater/item)" > $HEADWATER_RESULT
    over: {word: {value: [a, "$(HOME) and 'b'"]}, deep: {value: [{z: [1]}, null]}, n: {range: 2}}
  outputs: {item: {type: dict}}
""")
def test_zipped_lists_give_a_program_an_object_by_name(run: Run) -> None:
    assert run.ended("Succeeded").outputs["item"] == [
        {"word": "a", "deep": {"z": [1]}, "n": 0},
        {"word": "$(HOME) and 'b'", "deep": None, "n": 1},
    ]


@workflow("""
nodes:
- name: each
  map: {container: !sh exit 1, over: {x: {value: []}}}
  outputs: {y: {type: int}}
- name: python
  map: {task: "tasks:double", over: {number: {range: 0}}}
  outputs: {number: {type: int}}
- name: add
  task: tasks:add
  inputs: {numbers: {from: python.number}}
  outputs: {total: {type: int}}
outputs: {y: {from: each.y}, total: {from: add.total}}
""")
def test_an_empty_map_makes_no_pod(run: Run) -> None:
    assert run.ended("Succeeded").outputs == {"y": [], "total": 0}
    assert [pod["metadata"]["annotations"]["headwater.dev/path"] for pod in run.pods()] == ["add"]


@workflow("""
nodes:
- name: each
  map:
    container: !sh |
      [ "$(cat /headwater/index)" != 1 ] || { echo no stars; exit 3; }
      echo '{"y":1}' > $HEADWATER_RESULT
    over: {x: {range: 3}}
    tolerate: 1
  outputs: {y: {type: int}}
""")
def test_a_failed_program_that_is_tolerated_leaves_null(run: Run) -> None:
    assert run.ended("Succeeded").outputs == {"y": [1, None, 1]}
    assert run.nodes["each"]["items"] == {"total": 3, "succeeded": "0,2", "failed": "1"}


@workflow("""
nodes:
- name: each
  map:
    container: !sh |
      [ "$(cat /headwater/index)" != 1 ] || { echo no stars; exit 3; }
      echo '{"y":1}' > $HEADWATER_RESULT
    over: {x: {range: 3}}
    tolerate: "30%"
  outputs: {y: {type: int}}
""")
def test_one_failure_more_than_tolerated_fails_the_map_and_says_which(run: Run) -> None:
    message = run.ended("Failed").status["message"]
    assert "each" in message
    error = run.nodes["each"]["error"]
    assert "1 of 3 items failed: 1" in error["message"]
    assert "exit code 3: no stars" in error["message"]


@workflow("""
nodes:
- name: each
  map: {task: "tasks:invert", over: {number: {range: 3}}, tolerate: all}
  outputs: {inverted: {type: float}}
- name: kinds
  task: tasks:kinds
  inputs: {inverted: {from: each.inverted}}
  outputs: {kinds: {type: list}}
""")
def test_the_next_task_gets_the_exception_of_an_item(run: Run) -> None:
    assert run.ended("Succeeded").outputs == {"kinds": ["ZeroDivisionError", "float", "float"]}


@workflow("""
nodes:
- name: make
  task: tasks:make
  inputs: {size: {value: 4}}
  outputs: {numbers: {type: list}}
- name: scale
  map:
    task: tasks:scale
    over: {number: {from: make.numbers}}
    itemsPerPod: 2
  inputs: {factor: {value: 10}}
  outputs: {number: {type: int}}
- name: label
  map:
    task: tasks:label
    over: {number: {from: scale.number}, letter: {value: [a, b, c, d]}}
    collect: items
    outputName: labels
    itemsPerPod: 4
  outputs: {text: {type: str}}
- name: silent
  map: {task: "tasks:double", over: {number: {from: scale.number}}, collect: none, itemsPerPod: 4}
""")
def test_python_items_share_pods_and_are_zipped_broadcast_and_collected(run: Run) -> None:
    assert run.ended("Succeeded").outputs["labels"] == [
        [{"text": f"{letter}{10 * number}"}] for number, letter in enumerate("abcd")
    ]
    assert (len(run.pods("scale")), len(run.pods("label")), len(run.pods("silent"))) == (2, 1, 1)


BLOCKS = """
blocks:
- name: pair
  inputs: {number: {type: int}, factor: {type: int, default: 1}}
  outputs: {number: {from: again.number}}
  %s
  nodes:
  - name: first
    task: tasks:double
    inputs: {number: {from: inputs.number}}
    outputs: {number: {type: int}}
  - name: again
    task: tasks:scale
    inputs: {number: {from: first.number}, factor: {from: inputs.factor}}
    outputs: {number: {type: int}}
"""
MAPPED = """
nodes:
- name: each
  map: {call: {block: pair}, over: {number: {range: 2}}}
  inputs: {factor: {value: 5}}
"""


@workflow(MAPPED + BLOCKS % "")
def test_a_block_of_python_for_each_item_is_one_pod_each(run: Run) -> None:
    assert run.ended("Succeeded").outputs == {"number": [0, 10]}
    assert len(run.pods()) == 2


@workflow(MAPPED + BLOCKS % "placement: nodes")
def test_a_block_for_each_item_can_have_a_pod_for_each_node(run: Run) -> None:
    assert run.ended("Succeeded").outputs == {"number": [0, 10]}
    paths = {pod["metadata"]["annotations"]["headwater.dev/path"] for pod in run.pods()}
    assert paths == {f"each[{index}]/{node}" for index in range(2) for node in ("first", "again")}


@workflow("""
nodes:
- name: outer
  map: {call: {block: row}, over: {letter: {value: [a, b]}}}
blocks:
- name: row
  inputs: {letter: {type: str}}
  outputs: {text: {from: inner.text}}
  nodes:
  - name: inner
    map: {task: "tasks:label", over: {number: {range: 2}}}
    inputs: {letter: {from: inputs.letter}}
    outputs: {text: {type: str}}
""")
def test_a_map_in_a_map(run: Run) -> None:
    assert run.ended("Succeeded").outputs == {"text": [["a0", "a1"], ["b0", "b1"]]}


@workflow("""
nodes:
- name: outer
  map: {call: {block: row}, over: {letter: {value: [a, b]}}}
blocks:
- name: row
  inputs: {letter: {type: str}}
  nodes:
  - name: inner
    map:
      container: !sh printf '{"text":"%s%s"}' "$INPUT_LETTER" "$(cat /headwater/item)" > $HEADWATER_RESULT
      over: {number: {range: 2}}
    inputs: {letter: {from: inputs.letter}}
    outputs: {text: {type: str}}
""")
def test_a_map_of_programs_in_a_map(run: Run) -> None:
    assert run.ended("Succeeded").outputs == {"text": [["a0", "a1"], ["b0", "b1"]]}


@workflow("""
nodes:
- name: uneven
  map: {task: "tasks:label", over: {number: {from: make.numbers}, letter: {value: [a, b]}}}
- name: make
  task: tasks:make
  inputs: {size: {value: 3}}
  outputs: {numbers: {type: list}}
""")
def test_sequences_of_different_lengths_fail_the_map(run: Run) -> None:
    run.ended("Failed")
    assert "3" in run.nodes["uneven"]["error"]["message"]
    assert "one length" in run.nodes["uneven"]["error"]["message"]


@workflow("""
nodes:
- name: write
  map:
    container: !sh cat /headwater/item > /out/item.txt
    over: {x: {value: [one, two]}}
  artifacts: {file: {path: /out/item.txt}}
  outputs: {file: {type: str}}
- name: read
  map: {task: "tasks:read", over: {path: {from: write.file}}}
  outputs: {text: {type: str}}
""")
def test_each_item_leaves_its_own_file(run: Run) -> None:
    assert run.ended("Succeeded").outputs == {"text": ['"one"', '"two"']}
