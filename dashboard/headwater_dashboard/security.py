"""Who may come in, and what a browser may do with the answers: an ASGI layer around all routes.

On loopback nobody is asked who they are. What protects there from other pages in the same browser: the `Host`
must be this machine's (a name that a stranger points at 127.0.0.1 is none), and an action needs a header with a
value that only the dashboard's own page can read.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, quote, urlencode

from headwater.records.process import login_name
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headwater_dashboard.options import Options
from headwater_dashboard.problems import RequestError, body_of

CSRF_HEADER = "x-headwater-csrf"
COOKIE = "headwater"
PROXY_HEADERS = (
    (("x-forwarded-user", "x-forwarded-email"), "x-forwarded-groups"),
    (("x-auth-request-user", "x-auth-request-email"), "x-auth-request-groups"),
    (("remote-user",), "remote-groups"),
)
"""By kind of proxy: the headers that name somebody, the first that there is, and the one that has their groups."""

LARGEST_BODY = 64 * 1024
MOST_CLIENTS = 10_000
SAFE = ("GET", "HEAD", "OPTIONS")
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "font-src 'self'; connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class RateLimit:
    """A bucket for each client: full at the start, `rate` requests a second come back.

    >>> limit = RateLimit(1.0, burst=2.0, clock=lambda: 0.0)
    >>> [limit.admits("ada") for _ in range(3)]
    [True, True, False]
    """

    def __init__(
        self, rate: float, *, burst: float | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = rate
        self._burst = burst if burst is not None else rate * 5
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}

    def admits(self, client: str) -> bool:
        """Whether the client may ask once more."""
        now = self._clock()
        if len(self._left) > MOST_CLIENTS:
            self._left.clear()
        left, at = self._left.get(client, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._rate)
        self._left[client] = (max(0.0, left - 1), now)
        return left >= 1


class Guard:
    """Checks every request before a route sees it, and sets the headers of every answer."""

    def __init__(self, app: ASGIApp, options: Options) -> None:
        self._app = app
        self._options = options
        self._secret = secrets.token_bytes(32)
        self._limit = RateLimit(options.requests_per_second)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it with what is wrong with it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        api = scope["path"].startswith("/api")

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if api:
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        headers = Headers(scope=scope)
        try:
            self._check_address(headers, scope)
            user, groups = self._who(headers)
            scope["headwater.user"] = user or ""
            scope["headwater.groups"] = groups
            scope["headwater.csrf"] = self._csrf(user or "")
            self._check_limits(headers, scope, user)
            if await self._logged_in_by_link(scope, answer):
                return
            if user is None and scope["path"] != "/healthz":
                raise RequestError(401, "nobody is logged in", fix=self._way_in())
            self._check_origin(headers, scope)
        except RequestError as error:
            await _refuse(error, answer)
            return
        await self._app(scope, receive, answer)

    # ------------------------------------------------------------ who it is

    def _who(self, headers: Headers) -> tuple[str | None, tuple[str, ...]]:
        """The name of who asks, None for somebody who has not said, and the groups that they are in."""
        if self._options.trust_proxy_headers:
            return _named_by_proxy(headers)
        if not self._options.token:
            return login_name(), ()
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and _same(given.strip(), self._options.token):
            return "token", ()
        return ("token" if _same(_cookie(headers), self._session()) else None), ()

    def _way_in(self) -> str:
        if self._options.trust_proxy_headers:
            return "Come through the proxy that logs people in."
        return "Open the address that `flowctl ui` printed, or send `Authorization: Bearer TOKEN`."

    def _session(self) -> str:
        """What the cookie holds: it tells nobody the token, and is worth nothing after a restart."""
        return hmac.new(self._secret, b"session:" + self._options.token.encode(), hashlib.sha256).hexdigest()

    def _csrf(self, user: str) -> str:
        return hmac.new(self._secret, b"csrf:" + user.encode("utf-8", "replace"), hashlib.sha256).hexdigest()

    async def _logged_in_by_link(self, scope: Scope, send: Send) -> bool:
        """`/?token=...` becomes a cookie, and the token leaves the address bar."""
        if (
            not self._options.token
            or scope["path"].startswith("/api")
            or b"token=" not in scope["query_string"]
        ):
            return False
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = [value for name, value in query if name == "token"]
        if len(given) != 1 or not _same(given[0], self._options.token):  # one guess a request
            return False
        rest = urlencode([(name, value) for name, value in query if name != "token"])
        path = "/" + scope["path"].lstrip("/\\")  # never `//elsewhere`
        location = quote(path, safe="/-._~!$&'()*+,;=:@") + (f"?{rest}" if rest else "")
        cookie = f"{COOKIE}={self._session()}; Path=/; HttpOnly; SameSite=Strict"
        headers = [
            (b"location", location.encode()),
            (b"set-cookie", cookie.encode()),
            (b"content-length", b"0"),
        ]
        await send({"type": "http.response.start", "status": 303, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
        return True

    # ------------------------------------------------------------ what is refused

    def _check_address(self, headers: Headers, scope: Scope) -> None:
        if b"\x00" in scope["path"].encode("utf-8", "replace") or b"%00" in scope["query_string"]:
            raise RequestError(400, "the address holds a NUL character", fix="Leave it out.")
        if not self._options.is_loopback:
            return
        name = _host_name(headers.get("host", ""))
        if name not in ("localhost", "127.0.0.1", "::1", self._options.host):
            fix = "Open http://127.0.0.1 and the port."
            if self._options.trust_proxy_headers:  # a page with such a name could send its headers too
                fix = "Let the proxy send `Host: localhost` (oauth2-proxy: --pass-host-header=false)."
            raise RequestError(400, f"{name!r} is not a name of this machine", fix=fix)

    def _check_limits(self, headers: Headers, scope: Scope, user: str | None) -> None:
        client = user if self._options.trust_proxy_headers and user else (scope.get("client") or ("",))[0]
        if not self._limit.admits(client):
            raise RequestError(429, "too many requests", fix="Wait a second.")
        if scope["method"] in SAFE:
            return
        length = headers.get("content-length", "0" if "transfer-encoding" not in headers else "")
        if not length.isdecimal() or int(length) > LARGEST_BODY:
            raise RequestError(
                413, "the request is too large", fix=f"At most {LARGEST_BODY} bytes, their number said."
            )

    def _check_origin(self, headers: Headers, scope: Scope) -> None:
        """An action must come from the dashboard's own page: no other can read the value of the header."""
        if scope["method"] in SAFE:
            return
        origin = headers.get("origin")
        foreign = origin is not None and origin.partition("://")[2] != headers.get("host", "")
        if foreign and not self._options.trust_proxy_headers:
            raise RequestError(
                403, "the request comes from another page", fix="Use the dashboard's own page."
            )
        if not _same(headers.get(CSRF_HEADER, ""), scope["headwater.csrf"]):
            raise RequestError(
                403,
                "the header X-Headwater-CSRF is missing or old",
                fix="GET /api/v1/me has its value: `csrf`.",
            )


def _named_by_proxy(headers: Headers) -> tuple[str | None, tuple[str, ...]]:
    """Who a proxy says it is, and their groups: the header of the kind that names them.

    A client may have sent a header that the proxy does not set. So nobody is in a group that is not in every such
    header that there is.

    Raises:
        RequestError: two different people are named.
    """
    names: dict[str, None] = {}
    lines: list[list[str]] = []
    for users, group in PROXY_HEADERS:
        given = next((headers.getlist(name) for name in users if headers.get(name)), [])
        names.update((name[:200], None) for name in given)
        if given:
            lines += [line[:8000].split(",") for line in headers.getlist(group) or [""]]
    if len(names) > 1:
        raise RequestError(
            401, f"the proxy names {len(names)} different people",
            fix="Let it remove what it does not set itself of X-Forwarded-User, Remote-User and their like.",
        )  # fmt: skip
    if not names:
        return None, ()
    groups = [[name for each in line if (name := each.strip())] for line in lines]
    return next(iter(names)), tuple(name for name in groups[0] if all(name in line for line in groups))


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode("utf-8", "replace"))


def _cookie(headers: Headers) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found is not None else ""


def _host_name(host: str) -> str:
    """The name in a Host header, without its port.

    >>> _host_name("localhost:8000"), _host_name("[::1]:8000")
    ('localhost', '::1')
    """
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()


async def _refuse(error: RequestError, send: Send) -> None:
    body = json.dumps(body_of(error)).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    headers += [(b"retry-after", b"1")] if error.status == 429 else []
    headers += [(b"www-authenticate", b"Bearer")] if error.status == 401 else []
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
