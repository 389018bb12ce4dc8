"""Tokens for slurmrestd: read anew when the Secret changes, or made of the site's key, always before they end."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from headwater.slurm.errors import NotAllowed

LIFETIME_SECONDS = 600
RENEW_SECONDS = 120


class Tokens(Protocol):
    """Where tokens come from."""

    user: str

    def current(self) -> str:
        """A token that holds for a while yet.

        Raises:
            NotAllowed: the one there is has ended.
        """


@dataclass(slots=True)
class Minted:
    """Tokens made of the key of slurmctld (`jwt_hs256.key`), ten minutes each."""

    user: str
    key: bytes = field(repr=False)
    clock: Callable[[], float] = time.time
    _token: str = field(default="", repr=False)
    _ends: float = 0.0

    def current(self) -> str:
        """The token in force, or a new one when it is about to end."""
        now = self.clock()
        if now > self._ends - RENEW_SECONDS:
            self._ends = now + LIFETIME_SECONDS
            self._token = mint(self.key, self.user, int(now), LIFETIME_SECONDS)
        return self._token


@dataclass(slots=True)
class FromFile:
    """The token in a file (a Secret that is mounted), which somebody renews: it is read for every request."""

    user: str
    file: Path
    clock: Callable[[], float] = time.time

    def current(self) -> str:
        """What the file holds now."""
        try:
            token = self.file.read_text().strip()
        except OSError as error:
            raise NotAllowed(
                f"the token of Slurm cannot be read: {error}", fix="Check the Secret of the SlurmCluster."
            ) from error
        ends = end_of(token)
        if ends is not None and ends <= self.clock():
            stamp = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(ends))
            raise NotAllowed(
                f"the token of Slurm for {self.user!r} ended at {stamp}",
                fix="Put a new one into the Secret: scontrol token lifespan=86400.",
            )
        return token


def mint(key: bytes, user: str, now: int, lifetime: int) -> str:
    """What `scontrol token username=USER lifespan=N` gives: HS256 over exp, iat and sun."""

    def encoded(data: bytes) -> bytes:
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    head = encoded(b'{"alg":"HS256","typ":"JWT"}')
    body = encoded(json.dumps({"exp": now + lifetime, "iat": now, "sun": user}).encode())
    signature = encoded(hmac.new(key, head + b"." + body, hashlib.sha256).digest())
    return b".".join((head, body, signature)).decode()


def end_of(token: str) -> float | None:
    """When a token ends (seconds since the epoch); None where it does not say.

    >>> end_of(mint(b"k", "ana", 1000, 600))
    1600.0
    """
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        body = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return float(body["exp"])
    except (binascii.Error, ValueError, KeyError, TypeError):
        return None


def tokens_of(secret: dict[str, bytes], folder: Path | None = None) -> Tokens:
    """Tokens from the keys of a Secret: `user`, and `token` or `key`.

    `folder` is where the Secret is mounted, so that a renewed token is seen.

    Raises:
        NotAllowed: it holds neither.
    """
    user = secret.get("user", b"").decode().strip()
    if user and "key" in secret:
        return Minted(user, secret["key"])
    if user and "token" in secret:
        if folder is not None:
            return FromFile(user, folder / "token")
        return _Fixed(user, secret["token"].decode().strip())
    raise NotAllowed(
        "the Secret of the SlurmCluster (`slurm.secret` in a config) lacks `user`, or both of `token` and `key`",
        fix="Give it `user` (on the cluster) and `token`: scontrol token lifespan=86400.",
    )


@dataclass(slots=True)
class _Fixed:
    user: str
    token: str = field(repr=False)

    def current(self) -> str:
        return self.token
