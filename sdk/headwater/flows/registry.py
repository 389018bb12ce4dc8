"""Registered flows: WorkflowTemplate documents, by project, name and version, in the run database."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from headwater.configuration import database_url
from headwater.flows.errors import FlowNotFoundError
from headwater.records.connection import Connection, connect
from headwater.records.schema import ensure_schema, has_table

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Registered:
    """A registered template."""

    project: str
    name: str
    version: int
    document: Document
    created_at: float

    @property
    def flow_id(self) -> str:
        """What `register()` returns: PROJECT/NAME:VERSION."""
        return f"{self.project}/{self.name}:{self.version}"


@contextmanager
def _database() -> Iterator[Connection]:
    url = database_url()
    connection = connect(url, create=True, patience=10)
    try:
        ensure_schema(connection, url)
        yield connection
    finally:
        connection.close()


def register_template(project: str, name: str, document: Document) -> Registered:
    """Keep a template as the next version; the newest one again when nothing has changed since."""
    content = json.dumps(document, ensure_ascii=False)
    digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
    with _database() as connection:
        while True:
            rows = connection.rows(
                "SELECT version, digest, content, created_at FROM template "
                "WHERE project = :project AND name = :name ORDER BY version DESC LIMIT 1",
                {"project": project, "name": name},
            )
            if rows and rows[0][1] == digest:
                return Registered(project, name, rows[0][0], json.loads(rows[0][2]), rows[0][3])
            version = rows[0][0] + 1 if rows else 1
            # Somebody else may take the same number at the same moment: then the next turn finds theirs.
            values = {"project": project, "name": name, "version": version, "digest": digest, "content": content,
                      "at": time.time()}  # fmt: skip
            connection.write(
                {},
                [
                    (
                        "INSERT INTO template (project, name, version, digest, content, created_at) "
                        "VALUES (:project, :name, :version, :digest, :content, :at) "
                        "ON CONFLICT (project, name, version) DO NOTHING",
                        values,
                    )
                ],
            )


def find_template(project: str, name: str, version: int | None = None) -> Registered:
    """A registered template; the newest version unless one is given.

    Raises:
        FlowNotFoundError: there is none; the message lists those of the project.
    """
    with _database() as connection:
        condition = "AND version = :version" if version is not None else ""
        rows = connection.rows(
            "SELECT version, content, created_at FROM template "
            f"WHERE project = :project AND name = :name {condition} ORDER BY version DESC LIMIT 1",
            {"project": project, "name": name, **({"version": version} if version is not None else {})},
        )
    if not rows:
        known = sorted({each.name for each in list_templates(project)})
        wanted = f"{name!r}" + (f" in version {version}" if version is not None else "")
        raise FlowNotFoundError(
            f"no flow {wanted} is registered in project {project!r}",
            fix=f"Registered there: {', '.join(known) or 'none'}. Register it: flowctl flows register TARGET.",
        )
    return Registered(project, name, rows[0][0], json.loads(rows[0][1]), rows[0][2])


def list_templates(project: str | None = None) -> list[Registered]:
    """All registered templates, newest version first."""
    with _database() as connection:
        if not has_table(connection, "template"):
            return []
        rows = connection.rows(
            "SELECT project, name, version, content, created_at FROM template ORDER BY project, name, version DESC"
        )
    found = [Registered(row[0], row[1], row[2], json.loads(row[3]), row[4]) for row in rows]
    return [each for each in found if project is None or each.project == project]


def find_anywhere(name: str, version: int | None = None) -> Document:
    """The template of this name in whichever project it is registered.

    Raises:
        FlowNotFoundError: there is none, or there are several projects that have one.
    """
    projects = sorted({each.project for each in list_templates() if each.name == name})
    if len(projects) != 1:
        said = f"is registered in {', '.join(projects)}" if projects else "is not registered"
        raise FlowNotFoundError(f"the template {name!r} {said}", fix="Register it in one project.")
    return find_template(projects[0], name, version).document
