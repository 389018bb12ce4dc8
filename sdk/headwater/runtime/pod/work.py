"""What every kind of unit needs: its node in the document, its code, its inputs, its place among signals."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from headwater.document.unit import UnitSpec
from headwater.errors import DefinitionError, DocumentError
from headwater.runtime.code import Code, inline_objects
from headwater.runtime.pod import bundle, surroundings
from headwater.runtime.pod.deaths import AtWork
from headwater.runtime.pod.signals import Termination
from headwater.runtime.pod.values import Values

if TYPE_CHECKING:
    from headwater.engine.graph import Graph, Node
    from headwater.runtime.caching import CacheAccess


class Work:
    """One unit that is being done."""

    def __init__(self, spec: UnitSpec, termination: Termination, at_work: AtWork | None = None) -> None:
        self.spec = spec
        self.termination = termination
        self.at_work = at_work
        self.values = Values(spec.store)
        self.folder = ""

    # ------------------------------------------------------------------ the document

    @cached_property
    def block(self) -> Mapping[str, Any]:
        """The document's block that the node stands in."""
        return self._named(self.spec.document["blocks"], self.spec.block, "block")

    @cached_property
    def written(self) -> Mapping[str, Any]:
        """The document's node."""
        return self._named(self.block["nodes"], self.spec.node, "node")

    def _named(self, among: Iterable[Mapping[str, Any]], name: str, what: str) -> Mapping[str, Any]:
        for found in among:
            if found["name"] == name:
                return found
        raise DocumentError(
            f"{self.spec.path!r}: the document that the pod was given has no {what} {name!r}",
            fix="The operator and the image's Headwater must be of one version.",
        )

    def policy(self, name: str) -> Any:
        """What the node's policy says, or else the document's defaults."""
        return self.written.get(name, (self.spec.document.get("defaults") or {}).get(name))

    @property
    def timeout(self) -> float | None:
        """Seconds that the node may run."""
        written = self.policy("timeout")
        if written is None:
            return None
        from headwater.document.graph import seconds

        return seconds(written)

    def match(self, code: Code, name: str) -> None:
        """Write out what a block, and those below it, leave to be matched by name. Before `graph` is asked for.

        Raises:
            DocumentError: a task's inputs cannot be matched, or its code cannot be loaded.
        """
        from headwater.document.graph import blocks_called

        written = {block["name"]: block for block in self.spec.document["blocks"]}
        below, pending = dict[str, None](), [name]
        while pending:
            block = pending.pop()
            if block in written and block not in below:
                below[block] = None
                pending += [called for node in written[block]["nodes"] for called in blocks_called(node)]
        from headwater.runtime.matching import is_matched, matched

        if all(is_matched(written[block]) for block in below):
            return
        blocks = [
            matched(block, index, code) if block["name"] in below else block
            for index, block in enumerate(written.values())
        ]
        self.spec = replace(self.spec, document={**self.spec.document, "blocks": blocks})

    @cached_property
    def graph(self) -> Graph:
        """The engine's graph of the document."""
        from headwater.document.graph import to_graph, without_units

        is_block = self.spec.does == "block"
        return to_graph(without_units(self.spec.document) if is_block else self.spec.document)

    @property
    def node(self) -> Node:
        """The node in the engine's graph."""
        return self.graph.blocks[self.spec.block].by_name[self.spec.node]

    # ------------------------------------------------------------------ code and values

    def code(self, refs: Iterable[str] | None = None) -> Code:
        """The code, importable from here on; of what the document carries by value, what `refs` names."""
        document = self.spec.document
        self.folder = bundle.settle(document.get("code") or {}, stays=self.at_work is not None)
        parameters = document.get("parameters") or {}
        surroundings.settle(parameters)
        return Code(inline_objects(document, refs), parameters)

    def resolved(self, code: Code, ref: str) -> object:
        """The object of a reference, with all that helps where its module cannot be found.

        Raises:
            DefinitionError: its module or its name is not there.
        """
        try:
            return code.resolve(ref)
        except DefinitionError as error:
            if not isinstance(error.__cause__, ImportError):
                raise
            raise DefinitionError(error.message, fix=self._where_to_look()) from error

    def _where_to_look(self) -> str:
        holds = f"The bundle holds: {bundle.listing(self.folder) or 'nothing'}. " if self.folder else ""
        return (
            f"{holds}Python looked in {', '.join(sys.path)}. "
            "Put the module into the project's folder, or run in an image that has it."
        )

    @property
    def inputs(self) -> dict[str, object]:
        """The node's inputs as objects."""
        return self.values.inputs(self.spec.inputs)

    @property
    def cache(self) -> CacheAccess | None:
        """The cache in the artifact store; None where there is none."""
        if not self.spec.store:
            return None
        from headwater.runtime.caching import CacheAccess

        where = f"{self.values.store.url.rstrip('/')}/cache"
        return CacheAccess(where, self.spec.overwrite_cache, self.spec.run)

    # ------------------------------------------------------------------ what went wrong

    def described(self, error: BaseException) -> dict[str, Any]:
        """An exception as a failure of this node."""
        from headwater.runtime.pod.failures import described

        return described(error, self.spec.path)
