"""How a dashboard is set up, and whether that is safe."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from headwater.errors import UsageError

SHORTEST_TOKEN = 8


@dataclass(frozen=True, slots=True)
class Options:
    """Which database is shown, on which address, to whom.

    `token` is asked of everybody; with `trust_proxy_headers` a proxy in front has asked already and says who it
    is. `artifacts` is the store that values are previewed from, this machine's where it is "".
    With `keep_logs` the logs of a cluster's runs are taken when they end, before their pods go.
    With `per_namespace` people see and change what the cluster's RBAC lets them.
    `requests_per_second` is what one client may ask for over a longer time.

    >>> Options("sqlite:///runs.db").is_loopback
    True
    """

    database: str
    host: str = "127.0.0.1"
    token: str = ""
    trust_proxy_headers: bool = False
    read_only: bool = False
    artifacts: str = ""
    keep_logs: bool = False
    per_namespace: bool = False
    requests_per_second: float = 100.0

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the address."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def check(self) -> None:
        """Refuse to show runs to a network without asking who it is.

        >>> Options("sqlite:///runs.db", host="0.0.0.0").check()
        Traceback (most recent call last):
        headwater.errors.UsageError: on 0.0.0.0 everybody in the network could see and end runs. Give a secret \
with --token, or --trust-proxy-headers where a proxy logs people in.

        Raises:
            UsageError: the token is easily guessed, or the address is open to others and nothing says who may
                come in, or who they are.
        """
        if self.token and (self.token != self.token.strip() or len(self.token) < SHORTEST_TOKEN):
            raise UsageError(
                f"the token is blank, or shorter than {SHORTEST_TOKEN} characters",
                fix="Give one that nobody guesses: openssl rand -hex 24.",
            )
        if not (self.is_loopback or self.token or self.trust_proxy_headers):
            raise UsageError(
                f"on {self.host} everybody in the network could see and end runs",
                fix="Give a secret with --token, or --trust-proxy-headers where a proxy logs people in.",
            )
        if self.per_namespace and not self.trust_proxy_headers:
            raise UsageError(
                "--per-namespace needs to know who somebody is",
                fix="Give --trust-proxy-headers too, behind a proxy that logs people in.",
            )
