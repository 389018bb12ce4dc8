"""What the API server checks by itself: CEL rules, keyed by the model that they are about.

CEL sees no field that may hold any JSON (`value`, `from`, `dependsOn`, `cache`), and the API server estimates what a
rule costs at worst; what cannot be said in these bounds is said by `semantics.py` and its neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headwater.document.nodes import KINDS
from headwater.document.types import DURATION_PATTERN

MUTABLE = ("parallelism", "suspend", "terminate")
"""What can be written into a Workflow that exists."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A CEL rule: `message` says what is wrong and what to do; `text` is CEL that makes a better message.

    `field` names the field of the object that it is about, where it is one.

    >>> Rule("self.a > 0", "must be above 0", field="a").as_dict()["fieldPath"]
    '.a'
    """

    rule: str
    message: str
    field: str = ""
    text: str = ""

    def as_dict(self) -> dict[str, str | bool]:
        """As it stands in a CRD."""
        found: dict[str, str | bool] = {"rule": self.rule, "message": self.message}
        if self.text:
            found["messageExpression"] = self.text
        if self.field:
            found["fieldPath"] = f".{self.field}"
        return found

    def at_creation(self) -> dict[str, str | bool]:
        """As it stands in the CRD of what cannot change: true for ever of what was there before.

        The API server asks all rules in each update of `status` too, and a node's takes it half a millisecond. Inside
        a node, which is atomic, it knows nothing of what was there: those rules, of few fields, it asks again.
        """
        return {**self.as_dict(), "rule": f"oldSelf.hasValue() || ({self.rule})", "optionalOldSelf": True}


def one_of(first: str, second: str) -> Rule:
    """Exactly one of two fields is given."""
    return Rule(f"has(self.{first}) != has(self.{second})", f"give `{first}` or `{second}`, one of the two")


def count_of(names: tuple[str, ...]) -> str:
    """How many of several fields are given."""
    return " + ".join(f"(has(self.{name}) ? 1 : 0)" for name in names)


def duration(field: str) -> Rule:
    """A field is a duration longer than nothing."""
    return Rule(
        f"!has(self.{field}) || self.{field}.matches('[1-9]') && self.{field}.matches(r'{DURATION_PATTERN}')",
        'must be a duration above zero, such as "90s", "15m", "2h" or "1d"',
        field,
    )


def names_block(field: str) -> Rule:
    """A field is the name of one of the blocks."""
    return Rule(
        f"!has(self.{field}) || !has(self.blocks) || self.blocks.exists(b, b.name == self.{field})",
        f"`{field}` names no block of this document",
        field,
        f"'there is no block \"' + self.{field} + '\": name one of `blocks`'",
    )


_SPEC = (
    names_block("entrypoint"),
    names_block("onExit"),
    Rule(
        "!has(self.blocks) || size(self.blocks) < 2 || has(self.entrypoint)",
        "`entrypoint` is missing: there are several blocks, name the one to start",
        "entrypoint",
    ),
    duration("timeout"),
)

RULES: Mapping[str, tuple[Rule, ...]] = {
    "WorkflowSpec": (one_of("blocks", "template"), *_SPEC),
    "WorkflowTemplateSpec": (
        Rule("has(self.blocks)", "give `blocks`: what the template runs", "blocks"),
        *_SPEC,
    ),
    "Synchronization": (one_of("mutex", "semaphore"),),
    "Node": (
        Rule(
            f"{count_of(KINDS)} == 1",
            f"give the node exactly one kind: one of {', '.join(KINDS)}",
            text=f"'node \"' + self.name + '\" needs exactly one kind: one of {', '.join(KINDS)}'",
        ),
    ),
    "Call": (
        one_of("block", "template"),
        Rule(
            "!has(self.version) || has(self.template)",
            "`version` is of a `template`; a block has none",
            "version",
        ),
    ),
    "Map": (
        Rule(
            f"{count_of(('task', 'container', 'call'))} == 1",
            "give one of `task`, `container` or `call`: what runs for each item",
        ),
        Rule(
            "!has(self.container) || !has(self.itemsPerPod) || self.itemsPerPod == 1",
            "`itemsPerPod` above 1 needs a Python task or a block, not a container",
            "itemsPerPod",
        ),
    ),
    "Loop": (
        Rule(
            "has(self.iterations) != has(self.forever)",
            "give `iterations: N` or `forever: true`, one of the two",
        ),
    ),
    "Condition": (
        Rule("has(self.task) != has(self.input)", "give `task`, or `input` with `operator` and `values`"),
    ),
    "Suspend": (one_of("duration", "approval"),),
    "SlurmClusterSpec": (
        Rule(
            "self.transport == 'local' || has(self.endpoint)",
            "`transport: rest` and `transport: ssh` need an `endpoint`",
            "endpoint",
        ),
    ),
    "Backfill": (Rule("self.from < self.to", "`to` must be later than `from`", "to"),),
}


# To compare 1,000 nodes takes the API server about half a second, and to ask of 14 fields more than the rest of a small
# write, in every update of `status`, of which a run has many. But an update changes either `status` or the rest, never
# both: where `status` differs, the spec is the same.
_STATUS_UPDATE = (
    "has(self.status) != has(oldSelf.status) || (has(self.status) && self.status != oldSelf.status)"
)


def unchanged(fields: Sequence[str]) -> Rule:
    """Fields of a Workflow's spec cannot change; a rule of the whole resource.

    The message names the first that did. What is costly to compare comes last: the API server bounds what a message
    may cost, so the last is not compared for it.
    """
    *others, last = fields
    changed = "".join(f"!({_same(field)}) ? '{field}' : " for field in others) + f"'{last}'"
    ask = f"cannot change after the Workflow was created: only {', '.join(MUTABLE)} can. Create a new Workflow instead."
    return Rule(
        f"{_STATUS_UPDATE} || {' && '.join(map(_same, fields))}",
        f"the spec {ask}",
        "spec",
        f"'`' + ({changed}) + '` {ask}'",
    )


def _same(field: str) -> str:
    new, old = f"self.spec.{field}", f"oldSelf.spec.{field}"
    return f"has({new}) == has({old}) && (!has({new}) || {new} == {old})"


UNCHANGED_TEMPLATE = Rule(
    f"{_STATUS_UPDATE} || self.spec == oldSelf.spec",
    "a WorkflowTemplate cannot change after it was created: runs rely on it. Create one with another name and a "
    "higher `version` instead.",
    "spec",
)
"""A rule of the whole resource."""
