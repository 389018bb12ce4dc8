"""An API server in memory, for faults that a real one cannot be made to have at a chosen call.

It keeps versions, merge-patches, refuses stale writes, answers watches with bookmarks' worth of history, and lets a
test look at every call before and after it takes effect.
"""

from __future__ import annotations

import asyncio
import copy
import itertools
import re
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from headwater_operator.kube.api import ApiError
from headwater_operator.kube.clock import ServerClock

Object = dict[str, Any]
_OBJECT = re.compile(r"^(?P<collection>.*/namespaces/[^/]+/[a-z]+)/(?P<name>[^/]+)(?P<sub>/status)?$")


class SimulatedApi:
    """What `Api` offers, on objects in memory. `hook(method, path, done)` sees each call before and after it."""

    def __init__(self, hook: Callable[[str, str, bool], None] | None = None) -> None:
        self.objects: dict[str, dict[str, Object]] = {}
        self.hook = hook or (lambda method, path, done: None)
        self.calls = self.writes = 0
        loop = asyncio.get_running_loop()
        self.clock = ServerClock(loop.time)
        self.clock._offset = 1_800_000_000.0
        self._version = itertools.count(1)
        self._now = 0
        self._uids = itertools.count(1)
        self._watches: list[tuple[str, asyncio.Queue[Object | None]]] = []
        self.log: list[tuple[int, str, str, Object]] = []
        self.forgotten = 0

    # ------------------------------------------------------------ what the operator calls

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> Object:
        await self._enter("GET", path)
        found = _OBJECT.match(path)
        if found and found["name"] in self._collection(found["collection"]):
            answer = copy.deepcopy(self._collection(found["collection"])[found["name"]])
        elif found and not path.endswith(("/pods", "/jobs", "/workflows", "/events")):
            raise _refusal(404, "NotFound", path)
        else:
            answer = self._list(path, params or {})
        self._leave("GET", path)
        return answer

    async def pages(self, path: str, params: Mapping[str, str], size: int = 500) -> AsyncIterator[Object]:
        yield await self.get(path, params)

    async def create(self, path: str, body: Object) -> Object:
        await self._enter("POST", path)
        name = body["metadata"]["name"]
        if name in self._collection(path):
            raise _refusal(409, "AlreadyExists", path)
        made = copy.deepcopy(body)
        made["metadata"] |= {
            "uid": f"uid-{next(self._uids)}",
            "creationTimestamp": "2027-01-15T08:00:00Z",
            "generation": 1,
        }
        made.setdefault("status", {})
        self._put(path, name, made, "ADDED")
        self._leave("POST", path)
        return copy.deepcopy(made)

    async def patch(self, path: str, body: Object) -> Object:
        await self._enter("PATCH", path)
        collection, name = self._find(path)
        found = copy.deepcopy(self._collection(collection)[name])
        wanted = (body.get("metadata") or {}).get("resourceVersion")
        if wanted is not None and wanted != found["metadata"]["resourceVersion"]:
            raise _refusal(409, "Conflict", path)
        changed = _merged(found, body)
        if changed != found:
            self._put(collection, name, changed, "MODIFIED")
            if "deletionTimestamp" in changed["metadata"] and not changed["metadata"].get("finalizers"):
                self.remove(collection, name)
        self._leave("PATCH", path)
        return copy.deepcopy(changed)

    async def json_patch(self, path: str, operations: list[Object]) -> Object:
        """Operations that put something where nothing, or something else, is."""
        await self._enter("PATCH", path)
        collection, name = self._find(path)
        changed = copy.deepcopy(self._collection(collection)[name])
        for operation in operations:
            *above, last = operation["path"].strip("/").split("/")
            if last == "resourceVersion" and operation["value"] != changed["metadata"]["resourceVersion"]:
                raise _refusal(409, "Conflict", path)
            at = changed
            for part in above:
                at = at[part]
            at[last] = copy.deepcopy(operation["value"])
        self._put(collection, name, changed, "MODIFIED")
        self._leave("PATCH", path)
        return copy.deepcopy(changed)

    async def replace(self, path: str, body: Object) -> Object:
        return await self.patch(path, body)

    async def delete(self, path: str, *, propagation: str = "Background", grace: int | None = None) -> None:
        await self._enter("DELETE", path)
        found = _OBJECT.match(path)
        if found and found["name"] in self._collection(found["collection"]):
            self.remove(found["collection"], found["name"], orphan=propagation == "Orphan")
        self._leave("DELETE", path)

    async def watch(self, path: str, params: Mapping[str, str], idle: float = 90.0) -> AsyncIterator[Object]:
        since = int(params["resourceVersion"])
        if since < self.forgotten:
            raise _refusal(410, "Expired", path)
        queue: asyncio.Queue[Object | None] = asyncio.Queue()
        for version, where, kind, obj in self.log:
            if version > since and where.startswith(_scope(path)) and where.endswith(_kind(path)):
                queue.put_nowait({"type": kind, "object": obj})
        self._watches.append((path, queue))
        try:
            while (event := await queue.get()) is not None:
                yield copy.deepcopy(event)
        finally:
            self._watches.remove((path, queue))

    async def close(self) -> None:
        self.cut_watches()

    # ------------------------------------------------------------ what the cluster does

    def change(self, collection: str, name: str, **parts: Any) -> None:
        """Merge into an object, as a controller or a kubelet does."""
        found = self._collection(collection).get(name)
        if found is not None:
            self._put(collection, name, _merged(copy.deepcopy(found), parts), "MODIFIED")

    def add(self, collection: str, obj: Object) -> None:
        """Create an object without a call."""
        made = copy.deepcopy(obj)
        made["metadata"] |= {"uid": f"uid-{next(self._uids)}", "creationTimestamp": "2027-01-15T08:00:00Z"}
        self._put(collection, made["metadata"]["name"], made, "ADDED")

    def remove(self, collection: str, name: str, *, orphan: bool = False) -> None:
        """Delete an object, and what it alone owns unless that is to be orphaned."""
        gone = self._collection(collection).get(name)
        if gone is None:
            return
        if gone["metadata"].get("finalizers"):
            self._put(collection, name, _merged(gone, {"metadata": {"deletionTimestamp": "now"}}), "MODIFIED")
            return
        del self._collection(collection)[name]
        self._put_event(collection, gone, "DELETED")
        for where, objects in list(self.objects.items()):
            for child, found in list(objects.items()):
                owners = found["metadata"].get("ownerReferences") or ()
                left = [owner for owner in owners if owner["uid"] != gone["metadata"]["uid"]]
                if len(left) == len(owners):
                    continue
                if left or orphan:
                    self.change(where, child, metadata={"ownerReferences": left})
                else:
                    self.remove(where, child)

    def cut_watches(self) -> None:
        """End every watch, as a restart of the server does."""
        for _, queue in self._watches:
            queue.put_nowait(None)

    def forget_history(self) -> None:
        """Compact: a watch that has fallen behind gets a 410."""
        self.forgotten = self._now
        self.log.clear()

    def collection(self, path: str) -> dict[str, Object]:
        """The objects of a collection by name."""
        return self._collection(path)

    # ------------------------------------------------------------

    async def _enter(self, method: str, path: str) -> None:
        self.calls += 1
        self.writes += method != "GET"
        await asyncio.sleep(0)
        self.hook(method, path, False)

    def _leave(self, method: str, path: str) -> None:
        self.hook(method, path, True)

    def _collection(self, path: str) -> dict[str, Object]:
        return self.objects.setdefault(path, {})

    def _find(self, path: str) -> tuple[str, str]:
        found = _OBJECT.match(path)
        if not found or found["name"] not in self._collection(found["collection"]):
            raise _refusal(404, "NotFound", path)
        return found["collection"], found["name"]

    def _list(self, path: str, params: Mapping[str, str]) -> Object:
        items = [
            copy.deepcopy(obj)
            for where, objects in self.objects.items()
            if where.startswith(_scope(path)) and where.endswith(_kind(path))
            for obj in objects.values()
            if "settled" not in params.get("fieldSelector", "") or not _settled(obj)
        ]
        return {"metadata": {"resourceVersion": str(self._now)}, "items": items}

    def _put(self, collection: str, name: str, obj: Object, kind: str) -> None:
        before = self._collection(collection).get(name)
        self._now = next(self._version)
        obj["metadata"]["resourceVersion"] = str(self._now)
        self._collection(collection)[name] = obj
        if kind == "MODIFIED" and _settled(obj) and before is not None and not _settled(before):
            kind = "DELETED"  # it does not match the operator's selector any more
        self._tell(collection, obj, kind)

    def _put_event(self, collection: str, obj: Object, kind: str) -> None:
        self._now = next(self._version)
        obj = copy.deepcopy(obj)
        obj["metadata"]["resourceVersion"] = str(self._now)
        self._tell(collection, obj, kind)

    def _tell(self, collection: str, obj: Object, kind: str) -> None:
        event = copy.deepcopy(obj)
        self.log.append((self._now, collection, kind, event))
        for path, queue in self._watches:
            if collection.startswith(_scope(path)) and collection.endswith(_kind(path)):
                queue.put_nowait({"type": kind, "object": event})


def _settled(obj: Object) -> bool:
    return (obj.get("status") or {}).get("settled") == "true"


def _scope(path: str) -> str:
    return path.rpartition("/")[0]


def _kind(path: str) -> str:
    return "/" + path.rpartition("/")[2]


def _merged(found: Any, patch: Any) -> Any:
    if isinstance(patch, list):
        return [_merged({}, each) if isinstance(each, Mapping) else copy.deepcopy(each) for each in patch]
    if not isinstance(patch, Mapping) or not isinstance(found, Mapping):
        return copy.deepcopy(patch)
    result = dict(found)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = _merged(result.get(name, {} if isinstance(value, Mapping) else None), value)
    return result


def _refusal(status: int, reason: str, path: str) -> ApiError:
    return ApiError(status, f"{path}: {reason}", {"reason": reason, "message": reason})
