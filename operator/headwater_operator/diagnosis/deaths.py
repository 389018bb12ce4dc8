"""How a container died: exit code, signal, memory, or never born."""

from __future__ import annotations

import json
import re
import signal

from headwater.engine.events import Failure
from headwater.engine.graph import ErrorClass

from headwater_operator.diagnosis.reading import Json, main_container, memory_limit, one_line, runs_python

_NOT_FOUND = re.compile(r'exec: "?([^":]+)"?: (?:executable file not found|stat .*no such file)')
_WRAPPERS = re.compile(
    r"^(?:failed to create (?:containerd|shim) task: |OCI runtime create failed: |(?:runc|crun) create failed: |"
    r"unable to start container process: |error during container init: )+"
)
_HEADWATER_MISSING = re.compile(r"No module named '?headwater(?:\.runtime)?'?")
_HINTS = {
    126: "the command is not executable in the image",
    127: "the command is not in the image",
}
_SIGNALS = {int(each): each.name for each in signal.Signals}


def death(pod: Json, ended: Json) -> Failure:
    """The failure of a container that ended with a code other than 0 and without a report.

    >>> death({}, {"exitCode": 139, "reason": "Error"}).message
    'killed by SIGSEGV (exit code 139)'
    """
    reason, code = ended.get("reason") or "", int(ended.get("exitCode", -1))
    said = (ended.get("message") or "").strip()
    if reason == "OOMKilled":
        return Failure("OOMKilled", out_of_memory(pod), ErrorClass.OOM, traceback=said)
    if reason == "ContainerStatusUnknown":
        return Failure("NodeLost", "the node lost sight of the container", ErrorClass.INFRASTRUCTURE)
    if reason in ("StartError", "ContainerCannotRun"):
        return _never_started(pod, said)
    if runs_python(pod) and _HEADWATER_MISSING.search(said):
        return Failure(
            "InvalidImage",
            f"image {main_container(pod).get('image')!r} has no headwater: install it there "
            "(`pip install headwater`), or build on the runtime image",
            ErrorClass.INVALID,
            traceback=said,
        )
    return _by_code(pod, code, said)


def out_of_memory(pod: Json) -> str:
    """The message of a container that was killed for want of memory.

    >>> out_of_memory({"spec": {"containers": [{"resources": {"limits": {"memory": "512Mi"}}}]}})
    'OOMKilled at 512Mi'
    """
    limit = memory_limit(pod)
    if limit:
        return f"OOMKilled at {limit}"
    return (
        "OOMKilled although no memory limit is set: the node ran out of memory "
        "(set resources.limits.memory; without it oomFactor has nothing to raise)"
    )


def _never_started(pod: Json, said: str) -> Failure:
    found = _NOT_FOUND.search(said)
    image = main_container(pod).get("image")
    if found is None:
        why = one_line(_WRAPPERS.sub("", said).removesuffix(": unknown"))
        return Failure("StartError", f"the container could not be started: {why}", traceback=said)
    if runs_python(pod):
        message = (
            f"image {image!r} has no `{found[1]}`: a Python node needs an image with Python and headwater"
        )
    else:
        message = f"image {image!r} has no `{found[1]}`: correct `command`, or use another image"
    return Failure("InvalidImage", message, ErrorClass.INVALID, traceback=said)


def _by_code(pod: Json, code: int, said: str) -> Failure:
    error_class = ErrorClass.ERROR
    number = _SIGNALS.get(code - 128)
    if number is not None:
        kind, what = number, f"killed by {number} (exit code {code})"
    else:
        kind, what = "ExitCode", f"exit code {code}"
    if code in _HINTS:
        what += f": {_HINTS[code]}"
    if number == "SIGKILL" and (limit := memory_limit(pod)):
        # The container's runtime says OOMKilled only if the kernel's notice reached it before the exit did,
        # which on a busy node it may not.
        what += f", most likely for memory: its limit is {limit}"
        error_class = ErrorClass.OOM
    last = last_line(said)
    if not runs_python(pod) and is_result(said):  # it stands where the end of the log would
        last = "it had written a result, which does not count; its log says more"
    message = f"{what}: {one_line(last, 300)}" if last else what
    return Failure(kind, message, error_class, traceback=said)


def is_result(text: str) -> bool:
    """Whether a termination message is what a container wrote to $HEADWATER_RESULT.

    >>> is_result('{"x": 1}'), is_result("ValueError: no")
    (True, False)
    """
    if not text.startswith("{"):
        return False
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def last_line(text: str) -> str:
    """The last line of a log that says something.

    >>> last_line("Traceback\\nValueError: no\\n\\n")
    'ValueError: no'
    """
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
