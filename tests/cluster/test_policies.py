"""What policies do to pods: retries, time, failures, caches, and what is merged into a pod."""

from __future__ import annotations

from tests.cluster.workflows import ON_PODS, Run, workflow

pytestmark = ON_PODS


# ---------------------------------------------------------------- retries


@workflow("""
nodes:
- name: flaky
  task: tasks:fail_at_first
  inputs: {name: {value: flaky}, failures: {value: 2}}
  outputs: {count: {type: int}}
  retry: {limit: 2, backoff: {initial: 2s, factor: 2}}
""")
def test_a_failed_task_is_tried_again_later_and_later(run: Run) -> None:
    assert run.ended("Succeeded").outputs == {"count": 3}
    assert run.nodes["flaky"]["attempts"] == 3
    first, second, third = (seconds(pod["metadata"]["creationTimestamp"]) for pod in run.pods("flaky"))
    assert second - first >= 2
    assert third - second >= 4


@workflow("""
nodes:
- name: bad
  container: !sh echo no; exit 1
  retry: {limit: 1}
""")
def test_attempts_are_one_more_than_retries(run: Run) -> None:
    assert "(after 2 attempts)" in run.ended("Failed").status["message"]
    assert len(run.pods("bad")) == 2


@workflow("""
nodes:
- name: bad
  container: !sh exit 1
  retry: {limit: 3, classes: [Oom, Timeout]}
""")
def test_only_the_named_classes_are_tried_again(run: Run) -> None:
    run.ended("Failed")
    assert len(run.pods("bad")) == 1


@workflow("""
nodes:
- name: each
  map: {task: "tasks:fail_at_first_if_odd", over: {number: {range: 4}}, itemsPerPod: 2}
  outputs: {number: {type: int}}
  retry: {limit: 1}
""")
def test_only_the_failed_items_are_tried_again(run: Run) -> None:
    assert run.ended("Succeeded").outputs == {"number": [0, 1, 2, 3]}
    assert len(run.pods("each")) == 2 + 2


@workflow("""
nodes:
- name: hungry
  task: tasks:eat
  inputs: {megabytes: {value: 100}}
  outputs: {taken: {type: int}}
  resources: {requests: {memory: 32Mi}, limits: {memory: 64Mi}}
  retry: {limit: 2, oomFactor: 4}
""")
def test_after_too_much_memory_the_next_attempt_has_more(run: Run) -> None:
    assert run.ended("Succeeded").outputs == {"taken": 100}
    first, *_, last = (pod["spec"]["containers"][0]["resources"] for pod in run.pods("hungry"))
    assert first == {"requests": {"memory": "32Mi"}, "limits": {"memory": "64Mi"}}
    assert last == {"requests": {"memory": "128Mi"}, "limits": {"memory": "256Mi"}}


@workflow("""
nodes:
- name: each
  map:
    container:
      image: localhost/debian:bookworm
      command: [python3, -c, "x = bytearray((90 if open('/headwater/index').read() == '1' else 1) << 20)"]
      resources: {limits: {memory: 48Mi}}
    over: {x: {range: 2}}
  retry: {limit: 1, classes: [Oom], oomFactor: 4}
""")
def test_after_too_much_memory_an_item_has_more(run: Run) -> None:
    run.ended("Succeeded")
    limits = [pod["spec"]["containers"][0]["resources"]["limits"]["memory"] for pod in run.pods("each")]
    assert sorted(limits) == ["192Mi", "48Mi", "48Mi"]


# ---------------------------------------------------------------- time


@workflow("""
nodes:
- name: slow
  container: !sh sleep 3600
  timeout: 2s
""")
def test_a_program_that_takes_too_long_is_ended(run: Run) -> None:
    run.ended("Failed")
    error = run.nodes["slow"]["error"]
    assert (error["class"], error["message"]) == ("Timeout", "ran longer than its timeout of 2 s")
    run.until_no_pod_runs(30)


@workflow("""
nodes:
- name: slow
  task: tasks:count_and_wait
  inputs: {name: {value: slow}}
  outputs: {attempts: {type: int}}
  timeout: 20s
  retry: {limit: 1, classes: [Timeout]}
""")
def test_a_task_that_took_too_long_is_tried_again(run: Run) -> None:
    assert run.ended("Succeeded").outputs == {"attempts": 2}
    run.until_no_pod_runs(30)


@workflow("""
nodes:
- name: each
  map:
    container: !sh '[ "$(cat /headwater/index)" = 0 ] || sleep 3600'
    over: {x: {range: 2}}
    tolerate: 1
  timeout: 5s
""")
def test_a_map_that_takes_too_long_is_ended_as_a_whole(run: Run) -> None:
    run.ended("Failed")
    assert run.nodes["each"]["error"]["message"] == "ran longer than its timeout of 5 s"
    run.until_no_pod_runs(60)


@workflow("""
nodes:
- name: nowhere
  container: !sh exit 0
  nodeSelector: {no-such: label}
  queueTimeout: 5s
""")
def test_a_pod_that_finds_no_place_in_time_is_given_up(run: Run) -> None:
    run.ended("Failed")
    error = run.nodes["nowhere"]["error"]
    assert error["class"] == "Timeout"
    assert "did not start within its queueTimeout of 5 s: " in error["message"]
    assert "change nodeSelector or affinity, or label a node" in error["message"]
    run.until_no_pod_runs()


@workflow("""
timeout: 8s
onExit: at-the-end
nodes:
- name: slow
  container: !sh sleep 3600
blocks:
- name: at-the-end
  nodes:
  - name: say
    container: !sh exit 0
""")
def test_a_run_that_takes_too_long_ends_and_runs_its_last_block(run: Run) -> None:
    status = run.ended("Failed").status
    assert "the run took longer than its timeout of 8 s" in status["message"]
    assert (run.phases["slow"], run.phases["on-exit/say"]) == ("Cancelled", "Succeeded")
    run.until_no_pod_runs()


# ---------------------------------------------------------------- failures

BRANCHES = """
nodes:
- name: bad
  container: !sh exit 1
- name: slow
  container: !sh sleep 8
- name: after-slow
  container: !sh exit 0
  dependsOn: [slow]
- name: after-bad
  container: !sh exit 0
  dependsOn: [bad]
"""


@workflow("failFast: false\n" + BRANCHES)
def test_without_fail_fast_every_branch_that_does_not_need_it_ends(run: Run) -> None:
    run.ended("Failed")
    assert run.phases == {
        "bad": "Failed", "slow": "Succeeded", "after-slow": "Succeeded", "after-bad": "Skipped",
    }  # fmt: skip


@workflow("parallelism: 1\n" + BRANCHES)
def test_with_fail_fast_nothing_new_starts(run: Run) -> None:
    run.ended("Failed")
    assert run.phases["after-slow"] != "Succeeded"
    assert run.pods("after-slow") == []


@workflow("""
nodes:
- name: bad
  container: !sh exit 1
  continueOnFailure: true
- name: good
  container: !sh sleep 2
""")
def test_a_failure_that_may_be_does_not_fail_the_run(run: Run) -> None:
    run.ended("Succeeded")
    assert run.phases == {"bad": "Failed", "good": "Succeeded"}


@workflow("""
onExit: notify
nodes:
- name: bad
  container: !sh echo no stars >&2; exit 3
blocks:
- name: notify
  nodes:
  - name: tell
    container: !py |
      import json, os
      seen = {name: os.environ[f"INPUT_{name}"] for name in ("PHASE", "NAME", "FAILURES")}
      print(json.dumps(seen))
    inputs: {phase: {from: run.phase}, name: {from: run.name}, failures: {from: run.failures}}
  - name: python
    task: tasks:show
    inputs: {value: {from: run.failures}}
""")
def test_the_last_block_knows_how_the_run_went(run: Run) -> None:
    run.ended("Failed")
    told = run.log("on-exit/tell")
    assert f'"PHASE": "Failed", "NAME": "{run.name}"' in told
    assert "no stars" in told
    assert "no stars" in run.log("on-exit/python")


@workflow("""
nodes:
- name: exits
  container: !sh echo one; echo last words; exit 3
""")
def test_a_program_that_fails_is_told_with_its_exit_code_and_last_words(run: Run) -> None:
    run.ended("Failed")
    error = {"type": "ExitCode", "message": "exit code 3: last words", "class": "Error", "node": "exits"}
    assert run.nodes["exits"]["error"] == error


@workflow("""
nodes:
- name: raises
  task: tasks:refuse
  inputs: {number: {value: 7}}
""")
def test_a_task_that_raises_is_told_with_its_exception(run: Run) -> None:
    assert "raises ValueError: no: 7" in run.ended("Failed").status["message"]
    error = {"type": "ValueError", "message": "no: 7", "class": "Error", "node": "raises"}
    assert run.nodes["raises"]["error"] == error


# ---------------------------------------------------------------- values, parameters, caches


@workflow("""
nodes:
- name: big
  task: tasks:big
  inputs: {size: {value: 3000000}}
  outputs: {data: {type: bytes}}
- name: measure
  task: tasks:measure
  inputs: {data: {from: big.data}}
  outputs: {size: {type: int}}
outputs: {size: {from: measure.size}}
""")
def test_a_big_value_goes_through_the_store(run: Run) -> None:
    assert run.ended("Succeeded").outputs == {"size": 3_000_000}


@workflow("""
parameters: {multiply: {factor: 7}}
nodes:
- name: multiply
  task: parameterized:multiply
  inputs: {number: {value: 6}}
  outputs: {number: {type: int}}
""")
def test_a_parameter_is_read_from_the_document(run: Run) -> None:
    assert run.ended("Succeeded").outputs == {"number": 42}


CACHED = """
nodes:
- name: now
  task: tasks:now
  inputs: {number: {value: %d}}
  outputs: {now: {type: int}}
  cache: %s
"""


@workflow(CACHED % (1, "inputs"))
def test_the_second_run_with_the_same_inputs_is_cached(run: Run) -> None:
    first = run.ended("Succeeded").outputs
    again = run.another()
    assert again.ended("Succeeded").outputs == first
    assert again.phases == {"now": "Cached"}
    main = again.spec["blocks"][0]
    other = [{**main["nodes"][0], "inputs": {"number": {"value": 5}}}]
    different = run.another(blocks=[{**main, "nodes": other}])
    assert different.ended("Succeeded").phases == {"now": "Succeeded"}


@workflow(CACHED % (3, "inputs"))
def test_a_run_that_overwrites_the_cache_computes_anew_and_keeps_that(run: Run) -> None:
    first = run.ended("Succeeded").outputs
    anew = run.another(annotations={"headwater.dev/overwrite-cache": "true"})
    second = anew.ended("Succeeded").outputs
    assert second != first
    assert anew.phases == {"now": "Succeeded"}
    assert run.another().ended("Succeeded").outputs == second


@workflow(CACHED % (2, "code"))
def test_the_second_run_with_the_same_code_is_cached(run: Run) -> None:
    first = run.ended("Succeeded").outputs
    again = run.another()
    assert again.ended("Succeeded").outputs == first
    assert again.phases == {"now": "Cached"}


# ---------------------------------------------------------------- what the pod is


@workflow("""
serviceAccountName: reader
defaults:
  labels: {team: stars, tier: default}
  annotations: {note: from-defaults}
  podTemplate: {spec: {terminationGracePeriodSeconds: 3, volumes: [{name: extra, emptyDir: {}}]}}
nodes:
- name: show
  container: !sh test -d /extra && test -s /var/run/secrets/kubernetes.io/serviceaccount/token && echo $ADDED
  labels: {tier: node}
  annotations: {other: from-node}
  resources: {requests: {cpu: 10m, memory: 8Mi}, limits: {memory: 64Mi}}
  podTemplate:
    metadata: {labels: {from: template}}
    spec:
      containers:
      - name: main
        env: [{name: ADDED, value: by the template}]
        volumeMounts: [{name: extra, mountPath: /extra}]
""")
def test_policy_and_template_shape_the_pod(run: Run) -> None:
    run.ended("Succeeded")
    (pod,) = run.pods("show")
    assert run.log("show") == "by the template\n"
    assert pod["spec"]["serviceAccountName"] == "reader"
    assert pod["spec"]["terminationGracePeriodSeconds"] == 3
    labels, annotations = pod["metadata"]["labels"], pod["metadata"]["annotations"]
    assert (labels["team"], labels["tier"], labels["from"]) == ("stars", "node", "template")
    assert (annotations["note"], annotations["other"]) == ("from-defaults", "from-node")
    (main,) = pod["spec"]["containers"]
    assert main["resources"] == {
        "requests": {"cpu": "10m", "memory": "8Mi"}, "limits": {"memory": "64Mi"},
    }  # fmt: skip
    assert pod["metadata"]["name"].startswith(run.name[:20])
    assert len(pod["metadata"]["name"]) <= 63


@workflow("""
nodes:
- name: show
  container: !sh ls /var/run/secrets/kubernetes.io 2>&1; grep -E 'Seccomp:|NoNewPrivs|CapEff' /proc/self/status
""")
def test_a_pod_has_no_token_no_capabilities_and_a_seccomp_profile(run: Run) -> None:
    told = run.ended("Succeeded").log("show")
    assert "No such file" in told
    assert "NoNewPrivs:\t1" in told
    assert "CapEff:\t0000000000000000" in told
    assert "Seccomp:\t2" in told


def seconds(time: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp()
