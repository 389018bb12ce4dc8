"""Names: CamelCase classes, snake_case tasks, dashes in documents."""

from __future__ import annotations

import re

_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def snake_case(name: str) -> str:
    """The snake_case form of a name.

    >>> snake_case("GenData"), snake_case("HTTPServer"), snake_case("gen_data")
    ('gen_data', 'http_server', 'gen_data')
    """
    return _BOUNDARY.sub("_", name).lower()


def camel_case(name: str) -> str:
    """The CamelCase form of a name.

    >>> camel_case("gen_data"), camel_case("GenData")
    ('GenData', 'GenData')
    """
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def node_name(name: str) -> str:
    """The form that names have in documents: lower case letters, digits and dashes, at most 63 characters.

    >>> node_name("gen_data"), node_name("<lambda>")
    ('gen-data', 'lambda')
    """
    cleaned = re.sub(r"[^a-z0-9]+", "-", snake_case(name).lower()).strip("-")
    return cleaned[:63].rstrip("-") or "block"
