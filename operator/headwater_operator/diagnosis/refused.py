"""The API server's answers to the creation of a pod or Job: what can be waited for, and what cannot be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from headwater.engine.events import Failure
from headwater.engine.graph import ErrorClass
from headwater.errors import DocumentError

from headwater_operator.builders.quantities import amount
from headwater_operator.diagnosis.reading import one_line
from headwater_operator.diagnosis.verdicts import Waiting

_QUOTA = re.compile(r"exceeded quota: ([^,]+), requested: (.+?), used: (.+?), limited: (.+)$")
_QUOTA_NEEDS = re.compile(r"failed quota: ([^:]+): must specify (.+?)(?: for: .*)?$")
_WEBHOOK = re.compile(r'admission webhook "([^"]+)" denied the request(?:: (.*))?', re.DOTALL)
_POLICY = re.compile(r"ValidatingAdmissionPolicy '([^']+)' .*?denied request: (.*)", re.DOTALL)
_SECURITY = re.compile(r'violates PodSecurity "([^"]+)": (.*)', re.DOTALL)
_ACCOUNT = re.compile(r"error looking up service account (\S+): (.*)")
_PRIORITY = re.compile(r"no PriorityClass with name (\S+) was found")
_LIMIT_RANGE = re.compile(r"(?:maximum|minimum) .* per (?:Container|Pod) is .*", re.DOTALL)
_BEFORE = re.compile(
    r'^(?:Error creating: )?(?:\w+(?:\.\w+)* )?"[^"]*" is (?:forbidden|invalid): ', re.DOTALL
)

_WORDS = {
    "spec.containers[0]": "the container",
    "spec.template.spec.containers[0]": "the container",
}


def create_refused(status: int, body: Mapping[str, Any]) -> Waiting | Failure:
    """What a refusal means: something that may pass (`Waiting`), or a failure that will not.

    `status` and `body` are the HTTP status and the `Status` object of the answer.

    >>> said = 'pods "a" is forbidden: exceeded quota: cpus, requested: cpu=2, used: cpu=3, limited: cpu=4'
    >>> create_refused(403, {"message": said}).text
    "quota 'cpus' is full: it asks for cpu=2, and cpu=3 of cpu=4 is taken; waits until other pods end"
    """
    message = str(body.get("message") or "")
    found = _by_words(message)
    if found is not None:
        return found
    if status == 422 or body.get("reason") == "Invalid":
        return _invalid(message, body)
    if status == 403:
        return _forbidden(message)
    if status == 404:
        return Failure("NotFound", f"the namespace is gone: {one_line(message)}", ErrorClass.INFRASTRUCTURE)
    if status == 409:
        return Waiting(f"waits for the object before it to go: {one_line(message)}", "Conflict")
    if (
        status == 413
        or "etcdserver: request is too large" in message
        or "Request entity too large" in message
    ):
        return _spec("the pod is too large for Kubernetes: pass large inputs through the store, not in place")
    if status in (400, 415):
        return _spec(f"the API server cannot read the pod: {one_line(message)}")
    return Waiting(f"the API server did not create it ({status}): {one_line(message)}", "ApiServer")


def _by_words(message: str) -> Waiting | Failure | None:
    """Answers that are told by their words, whatever their status."""
    quota = _QUOTA.search(message)
    if quota is not None:
        return _quota(*quota.groups())
    needs = _QUOTA_NEEDS.search(message)
    if needs is not None:
        return _spec(
            f"quota {needs[1]!r} asks every pod for {needs[2]}: write `resources` in the node or in defaults"
        )
    denied = _WEBHOOK.search(message)
    if denied is not None:
        return _spec(
            f"admission webhook {denied[1]!r} refuses the pod: {one_line(denied[2] or 'it does not say why')}"
        )
    if "failed calling webhook" in message:
        return Waiting(f"an admission webhook does not answer: {one_line(message)}", "Webhook")
    policy = _POLICY.search(message)
    if policy is not None:
        return _spec(f"admission policy {policy[1]!r} refuses the pod: {one_line(policy[2])}")
    account = _ACCOUNT.search(message)
    if account is not None:
        return Waiting(
            f"service account {account[1]!r} is missing: create it, or correct the name", "ServiceAccount"
        )
    return None


def _quota(name: str, requested: str, used: str, limited: str) -> Waiting:
    if _never_fits(requested, limited):
        text = f"quota {name!r} allows {limited} in all, and it asks for {requested}: ask for less, or raise the quota"
        return Waiting(text, "Quota")
    return Waiting(
        f"quota {name!r} is full: it asks for {requested}, and {used} of {limited} is taken; "
        "waits until other pods end",
        "Quota",
    )


def _never_fits(requested: str, limited: str) -> bool:
    """Whether more is asked for than the whole quota. Both are lists such as `cpu=2,memory=1Gi`."""
    limits = dict(each.split("=", 1) for each in limited.split(",") if "=" in each)
    try:
        return any(
            amount(quantity) > amount(limits[name])
            for name, quantity in (each.split("=", 1) for each in requested.split(",") if "=" in each)
            if name in limits
        )
    except DocumentError:
        return False


def _forbidden(message: str) -> Waiting | Failure:
    security = _SECURITY.search(message)
    if security is not None:
        return _spec(
            f"the namespace allows {security[1]!r} pods only: {one_line(security[2])}. "
            "Set securityContext in the container or podTemplate"
        )
    priority = _PRIORITY.search(message)
    if priority is not None:
        return _spec(f"there is no PriorityClass {priority[1]!r}: correct `priorityClassName`")
    limits = _LIMIT_RANGE.search(message)
    if limits is not None:
        return _spec(f"the namespace's LimitRange refuses the pod: {one_line(limits[0])}. Change `resources`")
    if "because it is being terminated" in message:
        return Failure("NamespaceEnding", "the namespace is being deleted", ErrorClass.INFRASTRUCTURE)
    if "cannot create resource" in message:
        return Waiting(
            f"the operator may not create it: {one_line(message)}; give its service account the right",
            "Forbidden",
        )
    return _spec(f"the API server refuses the pod: {one_line(_BEFORE.sub('', message))}")


def _invalid(message: str, body: Mapping[str, Any]) -> Failure:
    """The fields that are wrong, in the API server's words."""
    causes = (body.get("details") or {}).get("causes") or ()
    said = [
        f"{_field(cause.get('field') or '')}: {one_line(cause.get('message') or '', 200)}"
        for cause in causes[:3]
    ]
    more = f" and {len(causes) - 3} more" if len(causes) > 3 else ""
    text = "; ".join(said) + more if said else one_line(_BEFORE.sub("", message))
    return _spec(f"the API server refuses the pod: {text}")


def _field(path: str) -> str:
    """A field of a pod as the document calls it."""
    path = path.removeprefix("spec.template.")
    for before, after in _WORDS.items():
        if path.startswith(f"{before}."):
            return f"{after}'s {path.removeprefix(f'{before}.')}"
    return path


def _spec(message: str) -> Failure:
    return Failure("InvalidSpec", message, ErrorClass.INVALID)
