"""Whatever is asked, the API answers as its OpenAPI says."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from headwater.configuration import database_url
from headwater_dashboard.app import create_app
from headwater_dashboard.options import Options
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.dashboard.conftest import AT_ONCE, fails, reduce

CHECKS = [
    not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance,
]  # fmt: skip
PARTS = (
    "document", "nodes", "attempts", "items", "items/states", "items/times", "items/values", "events",
    "exceptions", "errors", "artifacts/{reference}", "artifacts/{reference}/content", "logs", "logs/matches",
    "logs/stream", "stream", "actions",
)  # fmt: skip
HOST = {"Host": "127.0.0.1"}


@pytest.fixture
def described(headwater_home: object) -> Any:
    reduce.run(check=False)
    fails.run(check=False)
    app = create_app(Options(database_url(), requests_per_second=AT_ONCE))
    # Streams have no end.
    return schemathesis.openapi.from_asgi("/api/v1/openapi.json", app, headers=HOST).exclude(
        path_regex="stream$"
    )


schema = schemathesis.pytest.from_fixture("described")


@schema.parametrize()
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_as_the_openapi_says(case: Any) -> None:
    case.call_and_validate(checks=CHECKS, headers=HOST)


def test_the_openapi_names_every_route_of_the_contract(here: Any) -> None:
    found = here.get("/api/v1/openapi.json").json()["paths"]
    wanted = {f"/api/v1/{path}" for path in ("runs", "runs/{run_id}", "stats", "names", "me", "stream")}
    wanted |= {"/api/v1/templates", "/api/v1/templates/{namespace}/{name}"}
    wanted |= {f"/api/v1/runs/{{run_id}}/{part}" for part in PARTS}
    assert wanted | {"/healthz"} == set(found)
    assert all(operation.get("description") for methods in found.values() for operation in methods.values())
