"""Which JSON an API server gives back exactly as it took it. Standard library only.

Kubernetes reads numbers as 64-bit integers where it can and as floats otherwise, and writes a float without a
fraction as an integer: 1.0 comes back as 1.
"""

from __future__ import annotations

import math

_LIMIT = 1 << 63


def is_exact(value: object) -> bool:
    """Whether a value passes through a custom resource unchanged, its types included.

    >>> is_exact({"a": [1, 2.5, None, "x"]}), is_exact([1.0]), is_exact((1,)), is_exact(2**70)
    (True, False, False, False)
    """
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return kind is not str or _is_text(str(value))
    if kind is int:
        return -_LIMIT <= value < _LIMIT  # type: ignore[operator]  # an int, exactly
    if kind is float:
        assert isinstance(value, float)
        return math.isfinite(value) and not value.is_integer()
    if isinstance(value, list) and kind is list:
        return all(map(is_exact, value))
    if isinstance(value, dict) and kind is dict:
        return all(type(key) is str and is_exact(part) for key, part in value.items())
    return False


def _is_text(text: str) -> bool:
    """Halves of surrogate pairs cannot be sent at all."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
