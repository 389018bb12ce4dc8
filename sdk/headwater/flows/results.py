"""Results that flows leave in the run database for others: `save_db_result` and `load_db_result`."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from headwater.configuration import state_dir
from headwater.flows.errors import EmptyResultError, FlowDefinitionError
from headwater.flows.registry import _database
from headwater.runtime.carry import store_at
from headwater.values.codec import decode, encode

Record = dict[str, Any]
KIND = "headwater.dev/db-result"


def save_db_result(**outputs: Any) -> Record:
    """Keep values in the run database; the record that is returned stands for them in a `db` mapping."""
    if not outputs:
        raise EmptyResultError(
            "save_db_result() was given nothing", fix="Give it values by name: save_db_result(x=1)."
        )
    store = store_at(str(state_dir() / "artifacts"))
    content = json.dumps({name: encode(value, store) for name, value in outputs.items()})
    result_id = uuid.uuid4().hex
    with _database() as connection:
        connection.write(
            {},
            [
                (
                    "INSERT INTO flow_result (result_id, content, created_at) VALUES (:id, :content, :at)",
                    {"id": result_id, "content": content, "at": time.time()},
                )
            ],
        )
    return {"kind": KIND, "result_id": result_id, "names": list(outputs)}


def load_db_result(
    record: Mapping[str, Any], attribute_index: Sequence[Any] | str | int | None = None
) -> Any:
    """The values behind a record of `save_db_result`.

    `attribute_index` says which part is wanted, step by step: `["outputs", 0]` is `result["outputs"][0]`; one
    name or number is one step. Without it: the one value that there is, else all of them by name.

    Raises:
        FlowError: it is no such record, or has no such part.
    """
    if not isinstance(record, Mapping) or record.get("kind") != KIND:
        raise FlowDefinitionError(
            f"a db mapping needs what save_db_result() returned; got {type(record).__name__}",
            fix="Return save_db_result(name=value) from the parent task.",
        )
    with _database() as connection:
        rows = connection.rows(
            "SELECT content FROM flow_result WHERE result_id = :id", {"id": str(record["result_id"])}
        )
    if not rows:
        raise EmptyResultError(
            f"the run database has no result {record['result_id']!r}", fix="Was it saved in another database?"
        )
    store = store_at(str(state_dir() / "artifacts"))
    found: Any = {name: decode(value, store) for name, value in json.loads(rows[0][0]).items()}
    if attribute_index is None or attribute_index == []:
        return next(iter(found.values())) if len(found) == 1 else found
    steps = [attribute_index] if isinstance(attribute_index, str | int) else list(attribute_index)
    for at, step in enumerate(steps):
        try:
            found = (
                getattr(found, step)
                if isinstance(step, str) and hasattr(found, step) and not isinstance(found, Mapping)
                else found[step]
            )
        except (KeyError, IndexError, TypeError) as error:
            known = f" It has {', '.join(map(str, found))}." if isinstance(found, Mapping) else ""
            raise FlowDefinitionError(
                f"attribute_index {steps!r}: step {at} ({step!r}) leads nowhere", fix=f"Correct it.{known}"
            ) from error
    return found
