"""Container nodes on real pods: what a program is given, and what it gives back."""

from __future__ import annotations

from tests.cluster.workflows import ON_PODS, Run, workflow

pytestmark = ON_PODS


@workflow("""
nodes:
- name: show
  container: !py |
    import json, os
    seen = {name: text for name, text in os.environ.items() if name.startswith("INPUT_")}
    with open(os.environ["HEADWATER_RESULT"], "w") as file:
        json.dump({"seen": seen}, file)
  inputs:
    text: {value: "$5 for $(HOME), $$ and $(INPUT_NUMBER)"}
    number: {value: 3}
    half: {value: 0.5}
    truth: {value: true}
    nothing: {value: null}
    many: {value: [1, {"a$": "$b"}]}
    run-name: {from: run.name}
  outputs: {seen: {type: dict}}
""")
def test_inputs_are_environment_variables_and_dollars_stay(run: Run) -> None:
    assert run.ended("Succeeded").outputs["seen"] == {
        "INPUT_TEXT": "$5 for $(HOME), $$ and $(INPUT_NUMBER)",
        "INPUT_NUMBER": "3",
        "INPUT_HALF": "0.5",
        "INPUT_TRUTH": "true",
        "INPUT_NOTHING": "null",
        "INPUT_MANY": '[1,{"a$":"$b"}]',
        "INPUT_RUN_NAME": run.name,
    }


@workflow("""
nodes:
- name: show
  container:
    image: localhost/debian:bookworm
    command: [sh, -c, 'printf "{\\"said\\":\\"%s\\"}" "$*" > $HEADWATER_RESULT', sh]
    args: ["x=$(INPUT_X)", "$(INPUT_COST)", "$(UNKNOWN)", "$$(INPUT_X)", "$(OWN)"]
    env: [{name: OWN, value: "own $(INPUT_X)"}]
  inputs: {x: {value: 3}, cost: {value: "$9"}}
  outputs: {said: {type: str}}
""")
def test_kubernetes_puts_inputs_into_arguments_and_variables(run: Run) -> None:
    assert run.ended("Succeeded").outputs == {"said": "x=3 $9 $(UNKNOWN) $(INPUT_X) own 3"}


@workflow("""
nodes:
- name: show
  container:
    image: localhost/debian:bookworm
    command: [sh, -c, 'echo "{\\"user\\":$(id -u),\\"root\\":\\"$(touch /here 2>&1)\\"}" > $HEADWATER_RESULT']
    securityContext: {runAsNonRoot: true, runAsUser: 4321, readOnlyRootFilesystem: true}
  outputs: {user: {type: int}, root: {type: str}}
""")
def test_a_program_without_rights_on_a_read_only_root_gives_a_result(run: Run) -> None:
    outputs = run.ended("Succeeded").outputs
    assert outputs["user"] == 4321
    assert "Read-only file system" in outputs["root"]


@workflow("""
nodes:
- name: show
  container:
    image: localhost/debian:bookworm
    command: [sh, -c]
    args:
    - |
      printf '{"found":"%s"}' "$COLOUR $PASSWORD $DIRECT $(cat $(pwd)/COLOUR)" > $HEADWATER_RESULT
    workingDir: /settings
    envFrom: [{configMapRef: {name: settings}}]
    env:
    - {name: PASSWORD, valueFrom: {secretKeyRef: {name: password, key: PASSWORD}}}
    - {name: DIRECT, value: straight}
    volumeMounts: [{name: settings, mountPath: /settings}]
  podTemplate:
    spec: {volumes: [{name: settings, configMap: {name: settings}}]}
  outputs: {found: {type: str}}
""")
def test_a_program_reads_config_maps_secrets_and_volumes(run: Run) -> None:
    assert run.ended("Succeeded").outputs == {"found": "blue xyzzy straight blue"}


@workflow("""
nodes:
- name: write
  container: !sh mkdir -p /out/deep && echo 42 > /out/answer.txt && echo 43 > /out/deep/other.txt
  artifacts: {answer: {path: /out/answer.txt}, other: {path: /out/deep/other.txt}}
  outputs: {answer: {type: str}, other: {type: str}}
- name: program
  container: !sh printf '{"text":"%s"}' "$(cat $INPUT_ANSWER $INPUT_OTHER | tr '\\n' ' ')" > $HEADWATER_RESULT
  inputs: {answer: {from: write.answer}, other: {from: write.other}}
  outputs: {text: {type: str}}
- name: python
  task: tasks:read
  inputs: {path: {from: write.answer}}
  outputs: {text: {type: str}}
outputs: {program: {from: program.text}, python: {from: python.text}}
""")
def test_files_reach_programs_and_python_through_the_store(run: Run) -> None:
    assert run.ended("Succeeded").outputs == {"program": "42 43 ", "python": "42\n"}


@workflow("""
nodes:
- name: say
  container: !sh printf '{"list":[1,2],"nested":{"a":null},"extra":1}' > $HEADWATER_RESULT
  outputs: {list: {type: "list[int]"}, nested: {type: dict}}
- name: read
  container: !sh printf '{"seen":%s}' "$INPUT_LIST" > $HEADWATER_RESULT
  inputs: {list: {from: say.list}}
  outputs: {seen: {type: list}}
- name: quiet
  container: !sh echo nothing to say
  dependsOn: [read]
outputs: {seen: {from: read.seen}, nested: {from: say.nested}}
""")
def test_results_go_from_program_to_program(run: Run) -> None:
    assert run.ended("Succeeded").outputs == {"seen": [1, 2], "nested": {"a": None}}
    assert run.phases == {"say": "Succeeded", "read": "Succeeded", "quiet": "Succeeded"}


@workflow("""
nodes:
- name: say
  container: !sh echo a line; echo another one >&2; exit 0
""")
def test_what_a_program_prints_is_its_pods_log(run: Run) -> None:
    assert sorted(run.ended("Succeeded").log("say").splitlines()) == ["a line", "another one"]


@workflow("""
nodes:
- name: show
  container: !sh printf '{"size":%%d}' "${#INPUT_TEXT}" > $HEADWATER_RESULT
  inputs: {text: {value: "%s"}}
  outputs: {size: {type: int}}
""" % ("x" * 100_000))  # fmt: skip
def test_an_input_of_a_hundred_thousand_characters_arrives(run: Run) -> None:
    assert run.ended("Succeeded").outputs == {"size": 100_000}
