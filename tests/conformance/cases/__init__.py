"""The cases, by topic."""

from tests.conformance.cases import (  # noqa: F401
    branches,
    caching,
    definitions,
    failures,
    loops,
    maps,
    policies,
    refusals,
    values,
    workflows,
)
