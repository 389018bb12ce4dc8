"""What a value is known by: the digest of its content."""

from __future__ import annotations

from headwater.values.code import value_code
from headwater.values.hashing import Hasher


def digest(value: object) -> str:
    """The SHA-256 digest of a value's content, as hex: the same in every process, exact in types.

    Raises `StoreError` for what cannot be taken apart (a lock, an open file).

    >>> digest(1) == digest(1)
    True
    >>> len({digest(1), digest(True), digest(1.0), digest("1")})
    4
    >>> digest({"a": 1, "b": {2, 3}}) == digest({"b": {3, 2}, "a": 1})
    True
    """
    return Hasher(value_code).digest(value).hex()


def digest_and_types(value: object) -> tuple[str, frozenset[type]]:
    """The digest of a value and the classes of all instances in it (but for plain values, arrays and tables).

    >>> import fractions
    >>> [cls.__name__ for cls in digest_and_types([1, fractions.Fraction(1, 2)])[1]]
    ['Fraction']
    """
    seen: set[type] = set()
    return Hasher(value_code, seen.add).digest(value).hex(), frozenset(seen)
