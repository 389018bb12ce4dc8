"""How to reach and log in to the API server: a kubeconfig, or the service account of a pod."""

from __future__ import annotations

import base64
import os
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from headwater.errors import UsageError

_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True, slots=True)
class Connection:
    """An API server with what is needed to log in; certificates and key in PEM.

    `token_file` is read again as tokens are renewed.
    """

    server: str
    authority: str | None = None
    certificate: str | None = None
    key: str | None = None
    insecure: bool = False
    token: str | None = None
    token_file: Path | None = None
    namespace: str = "default"
    source: str = ""

    def tls(self) -> ssl.SSLContext | None:
        """How to speak TLS with the server; None for one without."""
        if not self.server.startswith("https"):
            return None
        context = ssl.create_default_context(cadata=self.authority)
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.certificate and self.key:
            # The ssl module reads certificates from files only.
            with tempfile.NamedTemporaryFile("w", prefix="headwater-client-") as file:
                file.write(f"{self.certificate}\n{self.key}")
                file.flush()
                context.load_cert_chain(file.name)
        return context

    def bearer(self) -> str | None:
        """The token to send now."""
        if self.token_file is not None:
            return self.token_file.read_text(encoding="utf-8").strip()
        return self.token


def connect(kubeconfig: str | None = None, context: str | None = None) -> Connection:
    """The connection that a kubeconfig (or KUBECONFIG, ~/.kube/config, or this pod's service account) describes.

    Raises:
        UsageError: there is none, or it lacks something; the message says what.
    """
    path = _kubeconfig_path(kubeconfig)
    if path is not None:
        return _from_kubeconfig(path, context)
    if _ACCOUNT.joinpath("token").exists():
        return _from_service_account()
    raise UsageError(
        "there is no cluster to talk to: no kubeconfig, and this is not a pod",
        fix="Give --kubeconfig FILE, or set KUBECONFIG.",
    )


def _kubeconfig_path(given: str | None) -> Path | None:
    named = given or os.environ.get("KUBECONFIG", "").split(os.pathsep)[0]
    path = Path(named).expanduser() if named else Path("~/.kube/config").expanduser()
    if path.exists():
        return path
    if named:
        raise UsageError(f"there is no kubeconfig {str(path)!r}", fix="Check --kubeconfig or KUBECONFIG.")
    return None


def _from_kubeconfig(path: Path, context_name: str | None) -> Connection:
    config = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    context = _named(config, "contexts", context_name or config.get("current-context"), path)["context"]
    cluster = _named(config, "clusters", context.get("cluster"), path)["cluster"]
    user = _named(config, "users", context.get("user"), path).get("user") or {}
    if "exec" in user or "auth-provider" in user:
        return _by_the_official_client(path, context_name, context.get("namespace") or "default")
    token_file = user.get("tokenFile")
    return Connection(
        cluster["server"].rstrip("/"),
        _content(cluster, "certificate-authority", path.parent),
        _content(user, "client-certificate", path.parent),
        _content(user, "client-key", path.parent),
        bool(cluster.get("insecure-skip-tls-verify")),
        user.get("token"),
        Path(token_file) if token_file else None,
        context.get("namespace") or "default",
        str(path),
    )


def _named(config: dict[str, Any], section: str, name: str | None, path: Path) -> dict[str, Any]:
    for entry in config.get(section) or ():
        if entry.get("name") == name:
            found: dict[str, Any] = entry
            return found
    known = ", ".join(str(entry.get("name")) for entry in config.get(section) or ()) or "none"
    raise UsageError(f"{path} has no {section[:-1]} {name!r}", fix=f"It has: {known}.")


def _content(section: dict[str, Any], field: str, folder: Path) -> str | None:
    if f"{field}-data" in section:
        return base64.b64decode(section[f"{field}-data"]).decode()
    return (folder / section[field]).read_text(encoding="utf-8") if field in section else None


def _by_the_official_client(path: Path, context_name: str | None, namespace: str) -> Connection:
    """Logins by a plugin are the official client's business; it takes a second to import, so only here."""
    from kubernetes import client, config

    configuration = client.Configuration()
    load: Any = config.load_kube_config
    load(str(path), context=context_name, client_configuration=configuration)
    header = configuration.get_api_key_with_prefix("authorization") or ""

    def content(named: str | None) -> str | None:
        return Path(named).read_text(encoding="utf-8") if named else None

    return Connection(
        configuration.host.rstrip("/"),
        content(configuration.ssl_ca_cert),
        content(configuration.cert_file),
        content(configuration.key_file),
        not configuration.verify_ssl,
        header.removeprefix("Bearer ") or None,
        None,
        namespace,
        str(path),
    )


def _from_service_account() -> Connection:
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    host = f"[{host}]" if ":" in host else host
    return Connection(
        f"https://{host}:{port}",
        (_ACCOUNT / "ca.crt").read_text(encoding="utf-8"),
        token_file=_ACCOUNT / "token",
        namespace=(_ACCOUNT / "namespace").read_text(encoding="utf-8").strip(),
        source="the pod's service account",
    )
