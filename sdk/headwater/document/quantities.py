"""Kubernetes' quantities, such as 500m and 2Gi: are they ones, and do requests and limits fit together?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

from headwater.document.problems import Found, Path, nearest
from headwater.document.types import shortened, wrong

_QUANTITY = re.compile(r"^([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d{1,2})|([KMGTPE]i|[numkMGTPE]?))$")
_FACTORS: Mapping[str, Decimal] = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1), "k": Decimal(10**3),
    **{suffix: Decimal(10) ** (3 * power) for power, suffix in enumerate("MGTPE", 2)},
    **{f"{suffix}i": Decimal(2) ** (10 * power) for power, suffix in enumerate("KMGTPE", 1)},
}  # fmt: skip
_PARTS = ("requests", "limits", "claims")
_FIX = "Write it as 500m, 512Mi or 2Gi."


def amount(quantity: Any) -> Decimal:
    """A quantity as a number.

    Raises:
        ValueError: it is none.

    >>> amount("512Mi"), amount("250m"), amount(2)
    (Decimal('536870912'), Decimal('0.250'), Decimal('2'))
    """
    if isinstance(quantity, bool) or not isinstance(quantity, int | float | str):
        raise wrong("a quantity such as 500m or 2Gi", quantity)
    return _amount(str(quantity))


@lru_cache(maxsize=4096)
def _amount(quantity: str) -> Decimal:
    found = _QUANTITY.match(quantity) if len(quantity) <= 64 else None
    if found is None:
        raise ValueError(f"must be a quantity such as 500m or 2Gi; got {shortened(quantity)}")
    number, exponent, suffix = found.groups()
    return Decimal(f"{number}{exponent or ''}") * _FACTORS[suffix or ""]


def resources_problems(path: Path, resources: Any) -> Iterator[Found]:
    """What is wrong with the `resources` of a container.

    >>> [found[1] for found in resources_problems(("resources",), {"limits": {"memory": "-1Gi"}})]
    ['must not be negative; got -1Gi']
    """
    if not isinstance(resources, Mapping):
        yield path, str(wrong("an object with `requests` and `limits`", resources)), ""
        return
    amounts: dict[str, dict[str, Decimal]] = {"requests": {}, "limits": {}}
    for part, asked in resources.items():
        if part not in _PARTS:
            fix = nearest(part, _PARTS)
            if part in ("cpu", "memory") or "/" in part:
                fix = f"Write it under `requests` or `limits`: `requests: {{{part}: …}}`."
            yield (*path, part), f"unknown field {part!r}", fix
        elif part != "claims" and not isinstance(asked, Mapping):
            yield (*path, part), str(wrong("an object such as {cpu: 500m, memory: 2Gi}", asked)), ""
        elif part != "claims":
            for name, quantity in asked.items():
                try:
                    found = amount(quantity)
                except ValueError as error:
                    yield (*path, part, name), str(error), _FIX
                    continue
                amounts[part][name] = found
                if found < 0:
                    yield (*path, part, name), f"must not be negative; got {quantity}", _FIX
                elif "/" in name and found % 1:
                    yield (*path, part, name), f"must be a whole number; got {quantity}", "Write 1 or more."
    for name, requested in amounts["requests"].items():
        limit = amounts["limits"].get(name)
        if limit is not None and requested > limit:
            yield (
                (*path, "requests", name),
                f"must be at most the limit; got {resources['requests'][name]} over {resources['limits'][name]}",
                f"Raise `limits.{name}` or lower this.",
            )
