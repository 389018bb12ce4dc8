"""Registers all cases. Apart from the package, so that a pod that needs one module imports only that."""

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
