"""Kubernetes' quantities ("512Mi", "1.5", "250m"): compare them, and ask for more memory after Oom."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Any

from headwater.errors import DocumentError

_QUANTITY = re.compile(r"^([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|([KMGTPE]i|[numkMGTPE]?))$")
_FACTORS: dict[str, Decimal] = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1),
    "k": Decimal(10**3), "M": Decimal(10**6), "G": Decimal(10**9),
    "T": Decimal(10**12), "P": Decimal(10**15), "E": Decimal(10**18),
    "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30),
    "Ti": Decimal(2**40), "Pi": Decimal(2**50), "Ei": Decimal(2**60),
}  # fmt: skip
_BINARY = ("Ei", "Pi", "Ti", "Gi", "Mi", "Ki")


def amount(quantity: str | int | float) -> Decimal:
    """A quantity as a number.

    Raises:
        DocumentError: it is not one.

    >>> amount("512Mi"), amount("250m"), amount(2)
    (Decimal('536870912'), Decimal('0.250'), Decimal('2'))
    """
    found = _QUANTITY.match(str(quantity))
    if found is None:
        raise DocumentError(f"{quantity!r} is not a quantity", fix='Write it as "500m", "512Mi" or "2Gi".')
    number, exponent, suffix = found.groups()
    return Decimal(f"{number}{exponent or ''}") * _FACTORS[suffix or ""]


def times(quantity: str | int | float, factor: float) -> str:
    """A quantity of memory times a factor, rounded up, in the same unit where it stays whole.

    >>> times("512Mi", 1.5), times("1Gi", 1.5), times("1000M", 2), times(1000, 1.5), times("1Gi", 1.1)
    ('768Mi', '1536Mi', '2000M', '1500', '1153434Ki')
    """
    wanted = amount(quantity) * Decimal(str(factor))
    found = _QUANTITY.match(str(quantity))
    suffix = (found[3] if found else "") or ""
    if suffix in _BINARY:
        return _in_binary(wanted, suffix)
    unit = _FACTORS[suffix]
    if unit >= 1 and wanted % unit == 0:
        return f"{wanted // unit}{suffix}"
    return str(wanted.to_integral_value(ROUND_CEILING))


def _in_binary(wanted: Decimal, suffix: str) -> str:
    for smaller in _BINARY[_BINARY.index(suffix) :]:
        if wanted % _FACTORS[smaller] == 0 or smaller == "Ki":
            return f"{(wanted / _FACTORS[smaller]).to_integral_value(ROUND_CEILING)}{smaller}"
    raise AssertionError(suffix)


def with_more_memory(resources: Mapping[str, Any], factor: float, times_over: int) -> dict[str, Any]:
    """Resources whose requests and limits of memory are raised `times_over` times by a factor.

    Where no memory is asked for there is nothing to raise.

    >>> with_more_memory({"limits": {"memory": "512Mi", "cpu": 1}}, 2, 2)
    {'limits': {'memory': '2Gi', 'cpu': 1}}
    >>> with_more_memory({"requests": {"cpu": 1}}, 2, 2)
    {'requests': {'cpu': 1}}
    """
    found = dict(resources)
    if times_over <= 0 or factor <= 1:
        return found
    for part in ("requests", "limits"):
        asked = found.get(part)
        if isinstance(asked, Mapping) and "memory" in asked:
            raised = times(asked["memory"], factor**times_over)
            found[part] = {**asked, "memory": shortest(raised)}
    return found


def shortest(quantity: str) -> str:
    """A quantity in the largest binary unit in which it is whole; other units stay.

    >>> shortest("2048Mi"), shortest("1536Mi"), shortest("2000M")
    ('2Gi', '1536Mi', '2000M')
    """
    found = _QUANTITY.match(quantity)
    if found is None or found[3] not in _BINARY:
        return quantity
    total = amount(quantity)
    for suffix in _BINARY:
        if total and total % _FACTORS[suffix] == 0:
            return f"{total // _FACTORS[suffix]}{suffix}"
    return quantity


def largest(several: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Resources that suffice for each of several, one after the other.

    >>> largest([{"requests": {"cpu": 1, "memory": "1Gi"}}, {"requests": {"cpu": "500m", "memory": "2Gi"}}])
    {'requests': {'cpu': 1, 'memory': '2Gi'}}
    """
    found: dict[str, Any] = {}
    for resources in several:
        for part, asked in resources.items():
            if not isinstance(asked, Mapping):
                found[part] = asked
                continue
            so_far = found.setdefault(part, {})
            for name, quantity in asked.items():
                if name not in so_far or amount(quantity) > amount(so_far[name]):
                    so_far[name] = quantity
    return found
