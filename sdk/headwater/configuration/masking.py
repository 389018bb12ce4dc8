"""Hide secrets before a configuration is shown or recorded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MASK = "***"

# Anything under these is hidden, numbers too.
_SECRET = frozenset(
    {"password", "passwords", "passwd", "pwd", "passphrase", "secret", "secrets", "credential", "credentials"}
)
# Texts under these are hidden; a number under the plural is a count (`max_tokens: 100`).
_LIKELY = frozenset({"token", "tokens", "key", "keys", "apikey", "apikeys"})
# Written as `name:password`.
_LOGINS = frozenset({"admin", "user", "username", "login", "owner", "auth", "role"})

_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_URL_PASSWORD = re.compile(r"(?P<before>[a-zA-Z][a-zA-Z0-9+.-]*://[^/\s:@]*:)[^/\s@]+(?=@)")


def masked(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """A copy in which passwords, tokens, keys and the like are replaced by `***`.

    >>> masked({"databases": {"default": {"user": "ada:byron", "address": "db:5432"}}, "api_key": "k"})
    {'databases': {'default': {'user': 'ada:***', 'address': 'db:5432'}}, 'api_key': '***'}
    """
    return {key: _value(_words(key), value, hide=False) for key, value in mapping.items()}


LEAST_SECRET = 4


def secret_values(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The texts under `secrets` of a config, the longest first; very short ones would hide too much else.

    >>> secret_values({"secrets": {"user": "me", "password": "hunter2"}})
    ('hunter2',)
    """
    found: set[str] = set()
    pending: list[Any] = [config.get("secrets")]
    for value in pending:
        if isinstance(value, Mapping):
            pending += value.values()
        elif isinstance(value, list | tuple):
            pending += value
        elif isinstance(value, str) and len(value) >= LEAST_SECRET:
            found.add(value)
    return tuple(sorted(found, key=len, reverse=True))


def scrubbed(text: str, secrets: tuple[str, ...]) -> str:
    """A text in which secrets are replaced by `***`."""
    for secret in secrets:
        text = text.replace(secret, MASK)
    return text


def _words(key: object) -> frozenset[str]:
    return frozenset(word.lower() for word in _WORDS.findall(str(key)))


def _value(words: frozenset[str], value: Any, *, hide: bool) -> Any:
    hide = hide or bool(words & _SECRET)
    if isinstance(value, Mapping):
        return {key: _value(_words(key), item, hide=hide) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_value(words, item, hide=hide) for item in value]
    if value is None or isinstance(value, bool):
        return value
    if hide or (words & _LIKELY and not (isinstance(value, int | float) and words & {"tokens", "keys"})):
        return MASK
    if isinstance(value, str):
        if words & _LOGINS and ":" in value and "://" not in value:
            return f"{value.partition(':')[0]}:{MASK}"
        return _URL_PASSWORD.sub(rf"\g<before>{MASK}", value)
    return value
