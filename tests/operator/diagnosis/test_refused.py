"""What the API server answers to pods and Jobs that it does not take."""

from __future__ import annotations

from typing import Any

import pytest
from headwater.engine.events import Failure
from headwater.engine.graph import ErrorClass
from headwater_operator.diagnosis import Waiting, create_refused, job_trouble

from tests.operator.diagnosis.seen import seen


@pytest.mark.parametrize(
    ("case", "text"),
    [
        ("invalid-quantity", "quantities must match the regular expression"),
        (
            "invalid-field",
            'the container\'s resources.requests: Invalid value: "2": must be less than or equal to cpu',
        ),
        ("invalid-mount", 'the container\'s volumeMounts[0].name: Not found: "absent"'),
        ("invalid-several", "the container's image: Required value; the container's env[0].name: "),
        ("wrong-type", "cannot unmarshal string into Go struct field Container.spec.containers.command"),
        ("no-priority-class", "there is no PriorityClass 'absent'"),
        ("limit-range", "maximum cpu usage per Container is 4, but limit is 8. Change `resources`"),
        (
            "pod-security",
            "the namespace allows 'restricted:latest' pods only: allowPrivilegeEscalation != false",
        ),
        ("quota-needs", "quota 'cpus' asks every pod for requests.cpu: write `resources`"),
    ],
)
def test_what_will_never_be_taken_is_invalid(case: str, text: str) -> None:
    answer = seen(f"refused-{case}")
    found = create_refused(answer["status"], answer["body"])
    assert isinstance(found, Failure)
    assert (found.type, found.error_class) == ("InvalidSpec", ErrorClass.INVALID)
    assert text in found.message


@pytest.mark.parametrize(
    ("case", "reason", "text"),
    [
        ("quota", "Quota", "quota 'cpus' allows requests.cpu=500m in all, and it asks for requests.cpu=1"),
        ("no-account", "ServiceAccount", "service account 'diagnosis/absent' is missing"),
    ],
)
def test_what_may_pass_is_waited_for(case: str, reason: str, text: str) -> None:
    answer = seen(f"refused-{case}")
    found = create_refused(answer["status"], answer["body"])
    assert isinstance(found, Waiting)
    assert found.reason == reason
    assert text in found.text


def said(message: str, **body: Any) -> dict[str, Any]:
    return {"kind": "Status", "message": message, **body}


@pytest.mark.parametrize(
    ("status", "message", "reason"),
    [
        (403, 'pods "a" is forbidden: exceeded quota: q, requested: cpu=1,pods=1, used: cpu=4,pods=9, limited: '
         "cpu=4,pods=10", "Quota"),
        (403, 'pods is forbidden: User "u" cannot create resource "pods" in API group "" in the namespace "n"',
         "Forbidden"),
        (409, 'object is being deleted: pods "a" already exists', "Conflict"),
        (500, 'Internal error occurred: failed calling webhook "w.example.org": connection refused', "Webhook"),
        (429, "Too many requests, please try again later.", "ApiServer"),
        (503, "the server is currently unable to handle the request", "ApiServer"),
    ],
)  # fmt: skip
def test_other_answers_that_may_pass(status: int, message: str, reason: str) -> None:
    found = create_refused(status, said(message))
    assert isinstance(found, Waiting)
    assert found.reason == reason
    assert not found.hopeless


@pytest.mark.parametrize(
    ("status", "message", "text"),
    [
        (400, 'admission webhook "policy.example.org" denied the request: image must come from our registry',
         "admission webhook 'policy.example.org' refuses the pod: image must come from our registry"),
        (422, "pods \"a\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no",
         "'p' refuses"),
        (413, "Request entity too large: limit is 3145728", "too large for Kubernetes"),
        (500, "etcdserver: request is too large", "too large for Kubernetes"),
        (403, 'pods "a" is forbidden: some plugin: said no', "the API server refuses the pod: some plugin: said no"),
    ],
)  # fmt: skip
def test_other_answers_that_will_not(status: int, message: str, text: str) -> None:
    found = create_refused(status, said(message))
    assert isinstance(found, Failure)
    assert found.error_class is ErrorClass.INVALID
    assert text in found.message


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (
            403,
            'pods "a" is forbidden: unable to create new content in namespace n because it is being terminated',
        ),
        (404, 'namespaces "n" not found'),
    ],
)
def test_a_namespace_that_goes(status: int, message: str) -> None:
    found = create_refused(status, said(message))
    assert isinstance(found, Failure)
    assert found.error_class is ErrorClass.INFRASTRUCTURE


# ---------------------------------------------------------------- Jobs


def test_a_job_without_pods_for_a_quota() -> None:
    found = job_trouble(seen("job-quota")["job"], seen("job-quota")["events"])
    assert isinstance(found, Waiting)
    assert found.reason == "Quota"


def job(**status: Any) -> dict[str, Any]:
    return {"spec": {"completions": 10, "parallelism": 4}, "status": status}


def event(reason: str, message: str, at: str) -> dict[str, Any]:
    return {"reason": reason, "message": message, "lastTimestamp": at}


REFUSED = event(
    "FailedCreate",
    'Error creating: pods "a" is forbidden: violates PodSecurity "baseline": x',
    "2026-01-01T00:00:00Z",
)
CREATED = event("SuccessfulCreate", "Created pod: a", "2026-01-01T00:01:00Z")


def test_a_job_that_never_has_a_pod_fails_one_that_had_some_waits() -> None:
    assert isinstance(job_trouble(job(), [REFUSED]), Failure)
    later = job_trouble(job(startTime="2026-01-01T00:00:00Z", active=1), [REFUSED])
    assert isinstance(later, Waiting)


def test_a_job_with_all_its_pods_has_no_trouble() -> None:
    assert job_trouble(job(active=4), [REFUSED]) is None
    assert job_trouble(job(active=1), [REFUSED, CREATED]) is None
    assert job_trouble(job(active=2, succeeded=8), [REFUSED]) is None
    assert job_trouble(job(conditions=[{"type": "Complete", "status": "True"}]), [REFUSED]) is None


@pytest.mark.parametrize(
    ("reason", "error_class"),
    [("FailedIndexes", None), ("MaxFailedIndexesExceeded", None), ("DeadlineExceeded", ErrorClass.TIMEOUT),
     ("SomethingNew", ErrorClass.INFRASTRUCTURE)],
)  # fmt: skip
def test_jobs_that_failed(reason: str, error_class: ErrorClass | None) -> None:
    found = job_trouble(job(conditions=[{"type": "Failed", "status": "True", "reason": reason}]))
    assert (found.error_class if isinstance(found, Failure) else found) == error_class


def test_a_suspended_job() -> None:
    found = job_trouble({"spec": {"suspend": True}})
    assert isinstance(found, Waiting)
    assert found.reason == "Suspended"
