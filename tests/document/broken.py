"""Broken documents: a good one with one thing put, or taken away; where the problem is told, and in which words.

Used offline (`test_lint.py`) and against a real API server (`test_crd_server.py`).
"""

from __future__ import annotations

import copy
from typing import Any

GOOD: dict[str, Any] = {
    "apiVersion": "headwater.dev/v1alpha1",
    "kind": "Workflow",
    "metadata": {"name": "reduce"},
    "spec": {
        "entrypoint": "main",
        "arguments": {"multiplier": 3},
        "blocks": [
            {
                "name": "main",
                "inputs": {"multiplier": {"type": "int", "default": 1}},
                "nodes": [
                    {"name": "gen", "task": "tuto.tasks:GenData", "outputs": {"raw": {"type": "list"}}},
                    {
                        "name": "process",
                        "map": {"call": {"block": "one"}, "over": {"raw": {"from": "gen.raw"}}},
                        "inputs": {"multiplier": {"from": "inputs.multiplier"}},
                    },
                    {
                        "name": "show",
                        "container": {"image": "debian", "command": ["echo", "$(INPUT_X)"]},
                        "inputs": {"x": {"from": "process.y"}},
                        "outputs": {"shown": {"type": "str"}},
                    },
                    {"name": "big", "condition": {"input": {"from": "show.shown"}, "operator": "exists"}},
                    {"name": "left", "task": "m:f", "branch": {"of": "big", "when": True}, "inputs": {}},
                    {"name": "right", "task": "m:f", "branch": {"of": "big", "when": False}, "inputs": {}},
                    {"name": "both", "merge": {}, "dependsOn": ["left", "right"]},
                ],
            },
            {
                "name": "one",
                "inputs": {"raw": {}, "multiplier": {"type": "int"}},
                "outputs": {"y": {"from": "compute.y"}},
                "nodes": [{"name": "compute", "task": "tuto.tasks:Compute"}],
            },
        ],
    },
}

MAIN = "spec.blocks[0]"
GEN, PROCESS, SHOW = (f"{MAIN}.nodes[{index}]" for index in range(3))


def changed(path: str, value: Any) -> dict[str, Any]:
    """The good document with one thing put, or taken away (`...`)."""
    document = copy.deepcopy(GOOD)
    at: Any = document
    parts = [
        int(part) if part.isdigit() else part for part in path.replace("]", "").replace("[", ".").split(".")
    ]
    for part in parts[:-1]:
        at = at[part] if isinstance(part, int) else at.setdefault(part, {})
    if value is ...:
        del at[parts[-1]]
    elif isinstance(parts[-1], int) and parts[-1] == len(at):
        at.append(value)
    else:
        at[parts[-1]] = value
    return document


BROKEN: list[tuple[str, Any, str, str]] = [
    # where, what, path of the problem, words of it
    ("apiVersion", "v1", "apiVersion", "must be 'headwater.dev/v1alpha1'"),
    ("apiVersion", ..., "apiVersion", "is missing"),
    ("kind", "Wrokflow", "kind", "must be 'Workflow'"),
    ("spec", ..., "spec", "is missing"),
    ("spec", [], "spec", "must be an object"),
    ("spec.bloks", [], "spec.bloks", "unknown field 'bloks'. Did you mean 'blocks'?"),
    ("spec.blocks", [], "spec.blocks", "is empty"),
    ("spec.blocks", ..., "spec", "give `blocks` or `template`"),
    ("spec.template", {"name": "t"}, "spec", "give `blocks` or `template`"),
    ("spec.entrypoint", "mian", "spec.entrypoint", "no block 'mian'. Did you mean 'main'?"),
    ("spec.entrypoint", ..., "spec.entrypoint", "several blocks. Name one: 'main', 'one'"),
    ("spec.arguments", {"multiplyer": 3}, "spec.arguments.multiplyer", "Did you mean 'multiplier'?"),
    ("spec.arguments", {"multiplier": "x"}, "spec.arguments.multiplier", "must be int; got str"),
    ("spec.arguments", {"multiplier": True}, "spec.arguments.multiplier", "must be int; got bool"),
    ("spec.parallelism", 0, "spec.parallelism", "at least 1; got 0"),
    ("spec.parallelism", "many", "spec.parallelism", "must be a number; got a string 'many'"),
    ("spec.parallelism", 1.5, "spec.parallelism", "number"),
    ("spec.failFast", "true", "spec.failFast", "must be true or false; got a string"),
    ("spec.timeout", "2 hours", "spec.timeout", "duration such as"),
    ("spec.timeout", 90, "spec.timeout", "duration such as"),
    ("spec.onExit", "notify", "spec.onExit", "there is no block 'notify'"),
    ("spec.terminate", "Kill", "spec.terminate", "'Stop'"),
    ("spec.synchronization", {}, "spec.synchronization", "`mutex` or `semaphore`"),
    (
        "spec.synchronization",
        {"semaphore": {"name": "gpu", "limit": 0}},
        "spec.synchronization.semaphore.limit",
        "1",
    ),
    ("spec.parameters", {"compute": 3}, "spec.parameters.compute", "must be an object"),
    ("spec.defaults", {"retries": 3}, "spec.defaults.retries", "unknown field 'retries'"),
    ("spec.blocks[1].name", "main", "spec.blocks[1].name", "'main' is taken by spec.blocks[0]"),
    (f"{MAIN}.nodes", [], f"{MAIN}.nodes", "is empty"),
    (f"{MAIN}.nodez", [], f"{MAIN}.nodez", "Did you mean 'nodes'?"),
    (f"{MAIN}.placement", "pod", f"{MAIN}.placement", "'unit'"),
    (f"{MAIN}.inputs.multiplier.default", "x", f"{MAIN}.inputs.multiplier.default", "must be int; got str"),
    (f"{MAIN}.outputs", {"r": {"from": "nobody.x"}}, f"{MAIN}.outputs.r.from", "no node 'nobody'"),
    (f"{GEN}.name", "gen data", f"{GEN}.name", "is not a name"),
    (f"{GEN}.name", True, f"{GEN}.name", "must be a name"),
    (f"{GEN}.name", "x" * 64, f"{GEN}.name", "at most 63"),
    (f"{GEN}.name", "show", f"{SHOW}.name", "'show' is taken by"),
    (f"{GEN}.task", ..., GEN, "'gen' has no kind"),
    (f"{GEN}.merge", {}, GEN, "has `task` and `merge`"),
    (f"{GEN}.task", "tasks.py", f"{GEN}.task", '"module:name"'),
    (f"{GEN}.taks", "m:f", f"{GEN}.taks", "Did you mean 'task'?"),
    (f"{GEN}.timeout", "soon", f"{GEN}.timeout", "duration"),
    (f"{GEN}.cache", "on", f"{GEN}.cache", "'off'"),
    (f"{GEN}.executor", "lsf", f"{GEN}.executor", "'slurm'"),
    (f"{GEN}.retry", {"limit": -1}, f"{GEN}.retry.limit", "at least 0"),
    (f"{GEN}.retry", {"classes": ["OOM"]}, f"{GEN}.retry.classes[0]", "'Oom'"),
    (f"{GEN}.retry", {"backoff": {"factor": 0.5}}, f"{GEN}.retry.backoff.factor", "at least 1"),
    (f"{GEN}.retry", {"backoff": {"inital": "1s"}}, f"{GEN}.retry.backoff.inital", "Did you mean 'initial'?"),
    (f"{GEN}.inputs", {"x": 3}, f"{GEN}.inputs.x", "must be an object"),
    (f"{GEN}.inputs", {"x": {}}, f"{GEN}.inputs.x", "give one of `from`, `value`"),
    (f"{GEN}.inputs", {"x": {"from": "a.b", "value": 1}}, f"{GEN}.inputs.x", "give one of `from`, `value`"),
    (f"{GEN}.inputs", {"x": {"from": "show"}}, f"{GEN}.inputs.x.from", "NODE.OUTPUT"),
    (f"{GEN}.inputs", {"x": {"from": "shwo.y"}}, f"{GEN}.inputs.x.from", "Did you mean 'show'?"),
    (
        f"{GEN}.inputs",
        {"x": {"from": "inputs.multiplyer"}},
        f"{GEN}.inputs.x.from",
        "Did you mean 'multiplier'?",
    ),
    (f"{GEN}.inputs", {"x": {"from": "run.state"}}, f"{GEN}.inputs.x.from", "a run has no 'state'"),
    (f"{GEN}.inputs", {"x": {"from": "gen.raw"}}, f"{GEN}.inputs.x.from", "reads its own output"),
    (f"{GEN}.inputs", {"x": {"from": "show.shwn"}}, f"{GEN}.inputs.x.from", "declares no output 'shwn'"),
    (f"{GEN}.inputs", {"x": {"from": "process.z"}}, f"{GEN}.inputs.x.from", "no output 'z'"),
    (f"{GEN}.inputs", {"x": {"from": "process.y"}}, GEN, "wait for each other: gen -> process -> gen"),
    (f"{GEN}.dependsOn", ["nobody"], f"{GEN}.dependsOn[0]", "no node 'nobody'"),
    (f"{GEN}.dependsOn", [{"node": "show", "outcome": "ok"}], f"{GEN}.dependsOn[0].outcome", "'failed'"),
    (f"{GEN}.dependsOn", "show", f"{GEN}.dependsOn", "must be a list"),
    (f"{GEN}.branch", {"of": "show", "when": True}, f"{GEN}.branch.of", "not a condition"),
    (f"{GEN}.branch", {"of": "big", "when": "yes"}, f"{GEN}.branch.when", "must be true or false"),
    (f"{GEN}.artifacts", {"a": {"path": "/x"}}, GEN, "`artifacts` are for container nodes"),
    (f"{PROCESS}.map.over", {}, f"{PROCESS}.map.over", "is empty"),
    (f"{PROCESS}.map.over.raw", {"value": 7}, f"{PROCESS}.map.over.raw.value", "must be a list"),
    (f"{PROCESS}.map.over.raw", {"range": -1}, f"{PROCESS}.map.over.raw.range", "at least 0"),
    (f"{PROCESS}.map.tolerate", "101%", f"{PROCESS}.map.tolerate", "at most 100%"),
    (f"{PROCESS}.map.tolerate", -1, f"{PROCESS}.map.tolerate", "how many items may fail"),
    (f"{PROCESS}.map.tolerate", "some", f"{PROCESS}.map.tolerate", "how many items may fail"),
    (f"{PROCESS}.map.collect", "list", f"{PROCESS}.map.collect", "'flat'"),
    (f"{PROCESS}.map.call", {"block": "on"}, f"{PROCESS}.map.call.block", "Did you mean 'one'?"),
    (f"{PROCESS}.map.call", {}, f"{PROCESS}.map.call", "`block` or `template`"),
    (f"{PROCESS}.map.call", ..., f"{PROCESS}.map", "give one of `task`, `container` or `call`"),
    (f"{PROCESS}.map.itemsPerPod", 0, f"{PROCESS}.map.itemsPerPod", "at least 1"),
    (f"{PROCESS}.inputs", {}, f"{PROCESS}.map.call", "input 'multiplier' of block 'one' is not given"),
    (f"{PROCESS}.inputs.colour", {"value": 1}, f"{PROCESS}.map.call", "has no input 'colour'"),
    (f"{PROCESS}.inputs.raw", {"value": 1}, f"{PROCESS}.inputs.raw", "mapped over too"),
    (f"{SHOW}.container.image", ..., f"{SHOW}.container.image", "is missing"),
    (f"{SHOW}.container.command", "echo", f"{SHOW}.container.command", "must be a list"),
    (f"{SHOW}.when", {"input": {"from": "gone.x"}}, f"{SHOW}.when.input.from", "no node 'gone'"),
    (f"{MAIN}.nodes[6].dependsOn", ..., f"{MAIN}.nodes[6]", "merge 'both' needs `dependsOn`"),
    (f"{MAIN}.nodes[7]", {"name": "l", "loop": {"block": "one"}}, f"{MAIN}.nodes[7].loop", "one of the two"),
    (
        f"{MAIN}.nodes[7]",
        {"name": "l", "loop": {"block": "none", "iterations": 1}},
        f"{MAIN}.nodes[7].loop.block",
        "none",
    ),
    (
        f"{MAIN}.nodes[7]",
        {"name": "l", "iterate": {"block": "one"}},
        f"{MAIN}.nodes[7].iterate.maxIterations",
        "missing",
    ),
    (
        f"{MAIN}.nodes[7]",
        {"name": "r", "race": {"blocks": ["one"]}},
        f"{MAIN}.nodes[7].race.blocks",
        "at least 2",
    ),
    (f"{MAIN}.nodes[7]", {"name": "s", "suspend": {}}, f"{MAIN}.nodes[7].suspend", "one of the two"),
    (f"{MAIN}.nodes[7]", {"name": "c", "condition": {}}, f"{MAIN}.nodes[7].condition", "give `task`"),
    (
        f"{MAIN}.nodes[7]",
        {"name": "z", "map": {"task": "m:f", "over": {"a": {"value": [1]}, "b": {"value": [1, 2]}}}},
        f"{MAIN}.nodes[7].map",
        "one length: 'a' has 1, 'b' has 2",
    ),
    (
        f"{MAIN}.nodes[7]",
        {"name": "z", "map": {"container": {"image": "i"}, "over": {"a": {"range": 3}}, "itemsPerPod": 2}},
        f"{MAIN}.nodes[7].map",
        "not a container",
    ),
    (
        "spec.blocks[1].nodes[1]",
        {"name": "again", "call": {"block": "main"}},
        "spec.blocks[0]",
        "run each other without end: main -> one -> main",
    ),
]

CONTAINER = f"{SHOW}.container"
ENV = f"{CONTAINER}.env"
POD = f"{GEN}.podTemplate"

# What no pod could be made of, or what no pod may do.
BROKEN += [
    (f"{GEN}.resources", {"limits": {"memory": "-1Gi"}}, f"{GEN}.resources.limits.memory", "not be negative"),
    (f"{GEN}.resources", {"limits": {"memory": "2 GB"}}, f"{GEN}.resources.limits.memory", "500m or 2Gi"),
    (f"{GEN}.resources", {"requests": {"cpu": True}}, f"{GEN}.resources.requests.cpu", "500m or 2Gi"),
    (f"{GEN}.resources", {"memory": "2Gi"}, f"{GEN}.resources.memory", "under `requests` or `limits`"),
    (f"{GEN}.resources", {"limit": {"cpu": 1}}, f"{GEN}.resources.limit", "Did you mean 'limits'?"),
    (f"{GEN}.resources", {"limits": "2Gi"}, f"{GEN}.resources.limits", "an object such as"),
    (f"{GEN}.resources", "2Gi", f"{GEN}.resources", "must be an object"),
    (
        f"{GEN}.resources",
        {"requests": {"cpu": 2}, "limits": {"cpu": "500m"}},
        f"{GEN}.resources.requests.cpu",
        "at most the limit; got 2 over 500m. Raise `limits.cpu`",
    ),
    (
        f"{GEN}.resources",
        {"limits": {"nvidia.com/gpu": 0.5}},
        f"{GEN}.resources.limits.nvidia.com/gpu",
        "whole",
    ),
    ("spec.defaults", {"resources": {"limits": {"cpu": "x"}}}, "spec.defaults.resources.limits.cpu", "500m"),
    (f"{POD}", {"spec": {"hostNetwork": True}}, f"{POD}.spec.hostNetwork", "machine's network"),
    (f"{POD}", {"spec": {"hostPID": True}}, f"{POD}.spec.hostPID", "--allow-host"),
    (f"{POD}", {"spec": {"hostIPC": True}}, f"{POD}.spec.hostIPC", "shared memory"),
    (f"{POD}", {"hostNetwork": True}, f"{POD}.hostNetwork", "Write it under `spec`"),
    (
        f"{POD}",
        {"spec": {"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}},
        f"{POD}.spec.volumes[0].hostPath",
        "Use a claim or emptyDir",
    ),
    (
        f"{POD}",
        {"spec": {"volumes": [{"name": "v", "projected": {"sources": [{"serviceAccountToken": {}}]}}]}},
        f"{POD}.spec.volumes[0].projected.sources[0].serviceAccountToken",
        "`spec.serviceAccountName`",
    ),
    (
        f"{POD}",
        {"spec": {"containers": [{"name": "c", "securityContext": {"privileged": True}}]}},
        f"{POD}.spec.containers[0].securityContext.privileged",
        "all rights",
    ),
    (
        f"{POD}",
        {"spec": {"initContainers": [{"securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}]}},
        f"{POD}.spec.initContainers[0].securityContext.capabilities.add[0]",
        "'SYS_ADMIN' reaches beyond",
    ),
    (
        f"{POD}",
        {"spec": {"containers": [{"ports": [{"containerPort": 1, "hostPort": 80}]}]}},
        f"{POD}.spec.containers[0].ports[0].hostPort",
        "port of the machine",
    ),
    (f"{POD}", {"spec": {"nodeName": "node1"}}, f"{POD}.spec.nodeName", "Use `nodeSelector`"),
    (
        f"{POD}",
        {"spec": {"serviceAccountName": "admin"}},
        f"{POD}.spec.serviceAccountName",
        "of the Workflow",
    ),
    (
        f"{POD}",
        {"spec": {"automountServiceAccountToken": True}},
        f"{POD}.spec.automountServiceAccountToken",
        "a token",
    ),
    (f"{POD}", {"spec": {"restartPolicy": "Always"}}, f"{POD}.spec.restartPolicy", "Use `retry`"),
    (f"{POD}", {"metadata": {"name": "x"}}, f"{POD}.metadata.name", "set by the operator"),
    (
        f"{POD}",
        {"metadata": {"labels": {"headwater.dev/run": "x"}}},
        f"{POD}.metadata.labels.headwater.dev/run",
        "is reserved",
    ),
    (
        f"{POD}",
        {"spec": {"securityContext": {"seccompProfile": {"type": "Unconfined"}}}},
        f"{POD}.spec.securityContext.seccompProfile.type",
        "RuntimeDefault",
    ),
    (
        f"{CONTAINER}.securityContext",
        {"privileged": True},
        f"{CONTAINER}.securityContext.privileged",
        "--allow-host",
    ),
    (f"{CONTAINER}.image", "my image", f"{CONTAINER}.image", "it has a space"),
    (f"{CONTAINER}.image", "https://example.org/x", f"{CONTAINER}.image", "begins like a URL"),
    (f"{CONTAINER}.image", "Debian:12", f"{CONTAINER}.image", "small letters"),
    (f"{CONTAINER}.image", "", f"{CONTAINER}.image", "is empty"),
    (f"{CONTAINER}.imagePullPolicy", "Sometimes", f"{CONTAINER}.imagePullPolicy", "'Always'"),
    (ENV, [{"name": "A B", "value": "x"}], f"{ENV}[0].name", "not the name of an environment variable"),
    (ENV, [{"name": "HEADWATER_UNIT", "value": "x"}], f"{ENV}[0].name", "is reserved"),
    (ENV, [{"name": "JOB_COMPLETION_INDEX", "value": "0"}], f"{ENV}[0].name", "is reserved"),
    (ENV, [{"name": "A\n", "value": "x"}], f"{ENV}[0].name", "not the name of an environment variable"),
    (ENV, [{"name": "A", "value": 3}], f"{ENV}[0].value", "Put it in quotes"),
    (ENV, [{"name": "A", "vale": "3"}], f"{ENV}[0].vale", "Did you mean 'value'?"),
    (ENV, [{"value": "3"}], f"{ENV}[0].name", "is missing"),
    (ENV, [{"name": "A", "value": "x" * 140_000}], f"{ENV}[0].value", "at most 131,072 bytes"),
    (f"{SHOW}.inputs.big", {"value": "x" * 140_000}, f"{SHOW}.inputs.big.value", "at most 131,072 bytes"),
    (f"{CONTAINER}.volumeMounts", [{"name": "v"}], f"{CONTAINER}.volumeMounts[0].mountPath", "is missing"),
    (
        f"{CONTAINER}.volumeMounts",
        [{"name": "v", "mountPath": "/headwater/unit"}],
        f"{CONTAINER}.volumeMounts[0].mountPath",
        "operator's own",
    ),
    (f"{SHOW}.executor", "slurm", f"{SHOW}.executor", "a container runs as a pod"),
    (f"{GEN}.executor", "slurm", f"{GEN}.slurm", "Name a SlurmCluster"),
    (f"{GEN}.slurm", {"cluster": "A_B"}, f"{GEN}.slurm.cluster", "not the name of a resource"),
    (f"{GEN}.slurm", {"mem": -1}, f"{GEN}.slurm.mem", "not be negative"),
    (f"{GEN}.labels", {"a b": "x"}, f"{GEN}.labels.a b", "is not a key"),
    (f"{GEN}.labels", {"team": "a b"}, f"{GEN}.labels.team", "not the value of a label"),
    (f"{GEN}.labels", {"team": 3}, f"{GEN}.labels.team", "a string"),
    (f"{GEN}.annotations", {"headwater.dev/path": "x"}, f"{GEN}.annotations.headwater.dev/path", "reserved"),
    (f"{GEN}.nodeSelector", {"disk": "a b"}, f"{GEN}.nodeSelector.disk", "not the value of a label"),
    (f"{GEN}.tolerations", [{"operator": "Is"}], f"{GEN}.tolerations[0].operator", "Equal, Exists"),
    (f"{GEN}.priorityClassName", "High Priority", f"{GEN}.priorityClassName", "not the name of a resource"),
    (f"{GEN}.imagePullSecrets", [{"secret": "x"}], f"{GEN}.imagePullSecrets[0]", "must be {name: SECRET}"),
    (f"{GEN}.timeout", "0s", f"{GEN}.timeout", "longer than nothing"),
    (f"{GEN}.timeout", "-5m", f"{GEN}.timeout", "duration such as"),
    (f"{GEN}.queueTimeout", "0m", f"{GEN}.queueTimeout", "longer than nothing"),
    (f"{GEN}.dependsOn", ["gen"], f"{GEN}.dependsOn[0]", "waits for itself"),
    (f"{GEN}.cache", True, f"{GEN}.cache", "'inputs'"),
    (f"{GEN}.name", "x" * 254, f"{GEN}.name", "at most 63"),
    (f"{GEN}.outputs", {"raw": {"type": "int"}}, f"{PROCESS}.map.over.raw.from", "a map needs a list"),
    (f"{PROCESS}.map.over.raw.from", "gen.gone", f"{PROCESS}.map.over.raw.from", "declares no output 'gone'"),
    ("spec.timeout", "0s", "spec.timeout", "longer than nothing"),
    ("spec.ttlSecondsAfterFinished", -1, "spec.ttlSecondsAfterFinished", "at least 0"),
    ("spec.priority", "high", "spec.priority", "must be a number"),
    ("spec.serviceAccountName", "Admin", "spec.serviceAccountName", "not the name of a resource"),
    ("spec.code", {"image": "my image"}, "spec.code.image", "it has a space"),
    ("spec.code", {"configMap": "A"}, "spec.code.configMap", "not the name of a resource"),
    ("spec.code", {"configMap": "a", "url": "https://example.org/b"}, "spec.code", "one of the two"),
    ("spec.code", {"url": "https://example.org/b", "digest": "md5:1"}, "spec.code", "64 hexadecimal digits"),
    (f"{PROCESS}.map.over.raw", {"range": 10**12}, f"{PROCESS}.map.over.raw.range", "at most 10000000"),
    (f"{PROCESS}.inputs.multiplier", {"value": "three"}, f"{PROCESS}.inputs.multiplier.value", "must be int"),
    (f"{MAIN}.placement", "unit", f"{MAIN}.placement", "node 'show' is a container"),
    (
        f"{MAIN}.nodes[7]",
        {"name": "l", "iterate": {"block": "one", "maxIterations": 2, "initial": {"nope": {"value": 1}}}},
        f"{MAIN}.nodes[7].iterate",
        "has no input 'nope'",
    ),
    ("spec.onExit", "one", "spec.onExit", "input 'raw' of block 'one' is not given"),
    ("spec.blocks[1].name", "x" * 254, "spec.blocks[1].name", "at most 63"),
    ("metadata.name", "Reduce It", "metadata.name", "not the name of a resource"),
    ("metadata.name", "x" * 254, "metadata.name", "at most 253"),
]

SPEC = {"blocks": [{"name": "main", "nodes": [{"name": "a", "task": "m:a"}]}]}


def resource(kind: str, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": "headwater.dev/v1alpha1", "kind": kind, "metadata": {"name": "it"}, "spec": spec}


def cron(**spec: Any) -> dict[str, Any]:
    return resource("CronWorkflow", **{"schedules": ["*/5 * * * *"], "workflow": {"spec": SPEC}, **spec})


BROKEN_RESOURCES: list[tuple[dict[str, Any], str, str]] = [
    # document, path of the problem, words of it
    (resource("WorkflowTemplate"), "spec", "give `blocks`"),
    (resource("WorkflowTemplate", **SPEC, version=0), "spec.version", "at least 1"),
    (resource("WorkflowTemplate", **SPEC, arguments={"x": 1}), "spec.arguments", "unknown field 'arguments'"),
    (resource("WorkflowTemplate", **SPEC, entrypoint="gone"), "spec.entrypoint", "no block 'gone'"),
    (cron(schedules=[]), "spec.schedules", "is empty"),
    (cron(schedules=["every day"]), "spec.schedules[0]", "five fields"),
    (cron(schedules=["61 * * * *"]), "spec.schedules[0]", "five fields"),
    (cron(schedules="* * * * *"), "spec.schedules", "must be a list"),
    (cron(schedules=["* * * * *"] * 11), "spec.schedules", "at most 10"),
    (cron(timeZone="Europe/Atlantis"), "spec.timeZone", "Europe/Berlin"),
    (cron(concurrencyPolicy="Queue"), "spec.concurrencyPolicy", "'Forbid'"),
    (cron(startingDeadlineSeconds=-1), "spec.startingDeadlineSeconds", "at least 1"),
    (cron(failedRunsHistoryLimit=-1), "spec.failedRunsHistoryLimit", "at least 0"),
    (
        cron(backfill={"from": "yesterday", "to": "2026-01-01T00:00:00Z"}),
        "spec.backfill.from",
        "with its zone",
    ),
    (
        cron(backfill={"from": "2026-02-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}),
        "spec.backfill",
        "must be later than `from`",
    ),
    (cron(workflow={"spec": {}}), "spec.workflow.spec", "give `blocks` or `template`"),
    (
        cron(workflow={"spec": {**SPEC, "onExit": "gone"}}),
        "spec.workflow.spec.onExit",
        "there is no block 'gone'",
    ),
    (
        cron(workflow={"spec": {**SPEC, "defaults": {"podTemplate": {"spec": {"hostPID": True}}}}}),
        "spec.workflow.spec.defaults.podTemplate.spec.hostPID",
        "processes",
    ),
    (resource("SlurmCluster", transport="telnet", workdir="/w"), "spec.transport", "'rest'"),
    (resource("SlurmCluster", transport="ssh", workdir="/w"), "spec", "needs an `endpoint`"),
    (
        resource("SlurmCluster", transport="local", workdir="/w", secretRef={"name": "A B"}),
        "spec.secretRef.name",
        "not the name of a resource",
    ),
    (
        resource("SlurmCluster", transport="local", workdir="/w", pollSeconds=0),
        "spec.pollSeconds",
        "at least 1",
    ),
    (resource("SlurmCluster", transport="local"), "spec.workdir", "missing"),
    (resource("Workflow", template={"name": "t"}, blocks=SPEC["blocks"]), "spec", "one of the two"),
]


def huge(megabytes: float) -> dict[str, Any]:
    """A document of about that size."""
    nodes = [
        {"name": f"n{index}", "task": "m:f", "inputs": {"x": {"value": "x" * 10_000}}}
        for index in range(int(megabytes * 100))
    ]
    return resource("Workflow", blocks=[{"name": "main", "nodes": nodes}])
