"""How pods ended: as a real cluster said it, and as others would."""

from __future__ import annotations

from typing import Any

import pytest
from headwater.document.unit import TaskRecord, UnitReport, write_report
from headwater.engine.graph import ErrorClass
from headwater_operator.diagnosis import Outcome, outcome, started_at

from tests.operator.diagnosis.seen import seen


def ended(case: str) -> Outcome:
    found = outcome(seen(case)["pod"])
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("case", "kind", "error_class", "message"),
    [
        ("exit-3-with-log", "ExitCode", ErrorClass.ERROR, "exit code 3: "),
        ("exit-127", "ExitCode", ErrorClass.ERROR, "exit code 127: the command is not in the image: sh: 1: no-such"),
        ("segmentation-fault", "SIGSEGV", ErrorClass.ERROR, "killed by SIGSEGV (exit code 139)"),
        ("killed", "SIGKILL", ErrorClass.ERROR, "killed by SIGKILL (exit code 137)"),
        ("oom", "OOMKilled", ErrorClass.OOM, "OOMKilled at 32Mi"),
        ("deadline", "Timeout", ErrorClass.TIMEOUT, "the pod ran longer than its activeDeadlineSeconds of 3 s"),
        ("no-command", "InvalidImage", ErrorClass.INVALID, "has no `no-such-program`: correct `command`"),
        ("working-dir", "StartError", ErrorClass.ERROR, "could not be started: mkdir /etc/passwd: not a directory"),
        ("python-without-headwater", "InvalidImage", ErrorClass.INVALID, "has no headwater: install it there"),
        ("image-without-python", "InvalidImage", ErrorClass.INVALID, "has no `python`: a Python node needs"),
        ("volume-too-full", "Evicted", ErrorClass.ERROR, 'EmptyDir volume "data" exceeds the limit "1Mi". Write less'),
        ("deleted", "Deleted", ErrorClass.INFRASTRUCTURE, "pod 'deleted' was deleted while it ran"),
        ("evicted", "Evicted", ErrorClass.PREEMPTED, "was evicted, as when a node is drained"),
        ("preempted", "Preempted", ErrorClass.PREEMPTED, "made room for a pod of higher priority"),
        ("init-failed", "ExitCode", ErrorClass.ERROR, "container 'fetch': exit code 5"),
        ("sidecar-failed", "ExitCode", ErrorClass.ERROR, "container 'proxy': exit code 7"),
        ("sidecar-lingers", "ExitCode", ErrorClass.ERROR, "exit code 4"),
    ],
)  # fmt: skip
def test_what_a_cluster_says(case: str, kind: str, error_class: ErrorClass, message: str) -> None:
    found = ended(case)
    assert found.failure is not None
    assert (found.succeeded, found.failure.type, found.failure.error_class) == (False, kind, error_class)
    assert message in found.failure.message
    assert "\n" not in found.failure.message


def test_success() -> None:
    found = ended("exit-0")
    assert (found.succeeded, found.message, found.exit_code, found.failure) == (True, '{"x":3}', 0, None)
    assert found.started_at is not None
    assert found.finished_at is not None
    assert found.started_at <= found.finished_at


def test_the_phase_decides_not_the_reason() -> None:
    assert (
        seen("oom-of-a-child")["pod"]["status"]["containerStatuses"][0]["state"]["terminated"]["reason"]
        == "OOMKilled"
    )
    assert ended("oom-of-a-child").succeeded


def test_a_container_that_never_ran_has_no_start() -> None:
    assert ended("no-command").started_at is None
    assert started_at(seen("no-command")["pod"]) is None


def test_sidecars_do_not_keep_a_node_from_ending() -> None:
    assert ended("sidecar-lingers").lingers
    assert not ended("exit-0").lingers


@pytest.mark.parametrize("case", ["too-much-cpu", "image-refused", "config-map-missing"])
def test_what_waits_has_not_ended(case: str) -> None:
    assert outcome(seen(case)["pod"]) is None
    gone = outcome(seen(case)["pod"], deleted=True)
    assert gone is not None
    assert gone.failure is not None
    assert gone.failure.error_class is ErrorClass.INFRASTRUCTURE


# ---------------------------------------------------------------- made by hand


def pod(
    phase: str = "Failed", *, code: int | None = 1, reason: str = "Error", message: str = "",
    python: bool = True, limit: str = "", conditions: Any = (), **status: Any,
) -> dict[str, Any]:  # fmt: skip
    main: dict[str, Any] = {"name": "main", "image": "a:1"}
    if python:
        main["env"] = [{"name": "HEADWATER_UNIT", "value": "{}"}]
    if limit:
        main["resources"] = {"limits": {"memory": limit}}
    times = {"startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:09Z"}
    state = {"terminated": {"exitCode": code, "reason": reason, "message": message, **times}}
    statuses = [] if code is None else [{"name": "main", "state": state}]
    return {
        "metadata": {"name": "reduce-a-1"},
        "spec": {"containers": [main]},
        "status": {"phase": phase, "containerStatuses": statuses, "conditions": list(conditions), **status},
    }


def failure_of(made: dict[str, Any], **more: Any) -> Any:
    found = outcome(made, **more)
    assert found is not None
    assert not found.succeeded
    return found.failure


REPORT = UnitReport(
    failure={
        "type": "ValueError",
        "message": "no stars",
        "class": "Error",
        "node": "all/fit",
        "traceback": "T",
    }
)


def test_the_runtimes_report_tells_the_failure() -> None:
    found = outcome(pod(message=write_report(REPORT)))
    assert found is not None
    assert found.failure is not None
    assert (found.failure.type, found.failure.message, found.failure.node) == (
        "ValueError",
        "no stars",
        "all/fit",
    )
    assert found.message == write_report(REPORT)


def test_a_report_of_a_pod_whose_memory_ran_out_is_oom() -> None:
    failure = failure_of(pod(message=write_report(REPORT), reason="OOMKilled", limit="1Gi"))
    assert failure.error_class is ErrorClass.OOM
    assert failure.message == "OOMKilled at 1Gi (ValueError: no stars)"
    assert failure.node == "all/fit"


def test_items_that_failed_are_named() -> None:
    report = UnitReport(
        items="0-8", failed={9: {"type": "E", "message": "bad", "class": "Error"}}, failed_items="9"
    )
    assert failure_of(pod(message=write_report(report))).message == "item 9: bad"


def test_python_that_died_without_a_report() -> None:
    failure = failure_of(pod(code=139, message="Fatal Python error: Segmentation fault\n"))
    assert (failure.type, failure.message) == (
        "SIGSEGV", "killed by SIGSEGV (exit code 139): Fatal Python error: Segmentation fault",
    )  # fmt: skip


def test_a_unit_that_was_killed_is_not_taken_by_the_word_of_the_tasks_so_far() -> None:
    so_far = write_report(UnitReport(tasks=(TaskRecord("a", "Succeeded", 1, 5.0, 1.0),)))
    found = outcome(pod(code=137, message=so_far))
    assert found is not None
    assert found.failure is not None
    assert (found.failure.type, found.failure.message) == ("SIGKILL", "killed by SIGKILL (exit code 137)")
    assert found.message == so_far


def test_python_that_ended_well_without_a_report_did_not() -> None:
    lost = failure_of(pod("Succeeded", code=0))
    assert (lost.type, lost.error_class) == ("NoReport", ErrorClass.INFRASTRUCTURE)
    other = failure_of(pod("Succeeded", code=0, message="hello"))
    assert (other.type, other.error_class) == ("NoReport", ErrorClass.ERROR)
    found = outcome(pod("Succeeded", code=0, message=write_report(UnitReport(outputs={}))))
    assert found is not None
    assert found.succeeded


def test_memory_without_a_limit_says_so() -> None:
    assert "no memory limit is set" in failure_of(pod(code=137, reason="OOMKilled")).message


def test_a_container_with_a_memory_limit_that_was_killed_most_likely_came_to_it() -> None:
    failure = failure_of(pod(code=137, limit="64Mi"))
    assert (failure.type, failure.error_class) == ("SIGKILL", ErrorClass.OOM)
    assert failure.message.endswith("most likely for memory: its limit is 64Mi")
    said = failure_of(pod(code=137, limit="64Mi", message="step 1\nreading all of it\n"))
    assert said.message == f"{failure.message}: reading all of it"


def test_a_pod_that_failed_without_a_container() -> None:
    failure = failure_of(pod(code=None))
    assert (failure.type, failure.error_class) == ("PodFailed", ErrorClass.INFRASTRUCTURE)
    assert "no container of it ran" in failure.message


@pytest.mark.parametrize(
    ("status", "kind", "error_class", "message"),
    [
        ({"reason": "OutOfcpu", "message": "Pod was rejected: Node didn't have enough resource: cpu"}, "Rejected",
         ErrorClass.INFRASTRUCTURE, "didn't have enough resource: cpu"),
        ({"reason": "NodeAffinity", "message": "Predicate NodeAffinity failed"}, "Rejected",
         ErrorClass.INFRASTRUCTURE, "the node refused the pod"),
        ({"reason": "UnexpectedAdmissionError", "message": "no devices"}, "Rejected",
         ErrorClass.INFRASTRUCTURE, "no devices"),
        ({"reason": "NodeLost", "message": "Node n1 which was running pod a is unresponsive"}, "NodeLost",
         ErrorClass.INFRASTRUCTURE, "unresponsive"),
        ({"reason": "Terminated", "message": "Pod was terminated in response to imminent node shutdown."},
         "NodeShutdown", ErrorClass.PREEMPTED, "node shutdown"),
        ({"reason": "Preempting", "message": "Preempted in order to admit critical pod"}, "Preempted",
         ErrorClass.PREEMPTED, "critical pod"),
        ({"reason": "Evicted", "message": "The node was low on resource: memory. Container main was using 2Gi, "
          "request is 0, has larger consumption of memory. "}, "Evicted", ErrorClass.PREEMPTED, "low on resource"),
        ({"reason": "Evicted", "message": 'Container main exceeded its local ephemeral storage limit "1Gi". '},
         "Evicted", ErrorClass.ERROR, "raise ephemeral-storage"),
    ],
)  # fmt: skip
def test_reasons_of_the_pod(status: Any, kind: str, error_class: ErrorClass, message: str) -> None:
    failure = failure_of(pod(code=137, **{"reason": "Error"}) | {"status": {"phase": "Failed", **status}})
    assert (failure.type, failure.error_class) == (kind, error_class)
    assert message in failure.message


@pytest.mark.parametrize(
    ("reason", "kind", "error_class"),
    [
        ("PreemptionByScheduler", "Preempted", ErrorClass.PREEMPTED),
        ("EvictionByEvictionAPI", "Evicted", ErrorClass.PREEMPTED),
        ("TerminationByKubelet", "Evicted", ErrorClass.PREEMPTED),
        ("DeletionByTaintManager", "NodeLost", ErrorClass.INFRASTRUCTURE),
        ("DeletionByPodGC", "NodeLost", ErrorClass.INFRASTRUCTURE),
        ("SomethingNew", "Disrupted", ErrorClass.INFRASTRUCTURE),
    ],
)
def test_disruptions(reason: str, kind: str, error_class: ErrorClass) -> None:
    target = [{"type": "DisruptionTarget", "status": "True", "reason": reason, "message": "why"}]
    failed = failure_of(pod(code=143, conditions=target))
    assert (failed.type, failed.error_class) == (kind, error_class)
    gone = failure_of(pod("Running", code=None, conditions=target), deleted=True)
    assert (gone.type, gone.error_class) == (kind, error_class)


def test_a_disruption_is_not_blamed_on_the_report_of_a_runtime_that_was_told_to_end() -> None:
    target = [{"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}]
    failure = failure_of(pod(message=write_report(REPORT), conditions=target))
    assert failure.error_class is ErrorClass.PREEMPTED


def test_a_container_that_its_node_lost_sight_of() -> None:
    failure = failure_of(pod(code=137, reason="ContainerStatusUnknown"))
    assert failure.error_class is ErrorClass.INFRASTRUCTURE


def test_a_pod_that_failed_before_it_was_deleted_failed_by_itself() -> None:
    made = pod(code=3, python=False)
    made["metadata"] |= {"deletionTimestamp": "2026-01-01T00:00:40Z", "deletionGracePeriodSeconds": 30}
    assert failure_of(made).type == "ExitCode"
    made["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:35Z"
    assert failure_of(made).type == "Deleted"


def test_a_pod_that_had_ended_well_when_it_was_deleted_ended_well() -> None:
    found = outcome(pod("Running", code=0, python=False, message="{}"), deleted=True)
    assert found is not None
    assert found.succeeded


def test_a_running_pod_has_not_ended() -> None:
    made = pod("Running", code=None)
    made["status"]["containerStatuses"] = [
        {"name": "main", "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}
    ]
    assert outcome(made) is None
    assert started_at(made) == 1767225600.0
