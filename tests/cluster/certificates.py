"""One certificate authority per cluster, what it signs, and kubeconfigs that hold their certificates themselves."""

from __future__ import annotations

import base64
import datetime
import ipaddress
from collections.abc import Sequence
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.cluster.places import PKI

YEARS = datetime.timedelta(days=3650)
BEFORE = datetime.timedelta(days=1)  # the clock may be set back a little
PEM = serialization.Encoding.PEM


class Authority:
    """A certificate authority whose files lie in a folder; made by the first one who asks."""

    def __init__(self, folder: Path = PKI) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "ca.crt").exists():
            self._key = _new_key(folder / "ca")
            self._name = _subject("headwater-test-cluster", ())
            (folder / "ca.crt").write_bytes(self._sign(self._name, self._key, (), authority=True))
        self._key = _load_key(folder / "ca")
        self._name = x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes()).subject

    def issue(self, file: str, name: str, *, groups: Sequence[str] = (), hosts: Sequence[str] = ()) -> None:
        """Write `file`.crt and `file`.key for the user or server `name`."""
        certificate = self._sign(_subject(name, groups), _new_key(self.folder / file), hosts, authority=False)
        (self.folder / f"{file}.crt").write_bytes(certificate)

    def _sign(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, hosts: Sequence[str], *, authority: bool
    ) -> bytes:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - BEFORE)
            .not_valid_after(now + YEARS)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if hosts:
            builder = builder.add_extension(
                x509.SubjectAlternativeName(list(map(_host, hosts))), critical=False
            )
        return builder.sign(self._key, hashes.SHA256()).public_bytes(PEM)


def _host(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _subject(name: str, groups: Sequence[str]) -> x509.Name:
    organizations = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    return x509.Name([*organizations, x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _new_key(file: Path) -> ec.EllipticCurvePrivateKey:
    key = ec.generate_private_key(ec.SECP256R1())
    form = serialization.PrivateFormat.PKCS8
    path = file.with_suffix(".key")
    path.touch(mode=0o600)
    path.write_bytes(key.private_bytes(PEM, form, serialization.NoEncryption()))
    public = key.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    file.with_suffix(".pub").write_bytes(public)
    return key


def _load_key(file: Path) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(file.with_suffix(".key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


def issue_all(host: str, node: str) -> None:
    """Everything that the components need, for a cluster reached at `host` whose node is at `node`."""
    authority = Authority()
    service = [
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
    ]
    authority.issue(
        "apiserver", "kube-apiserver", hosts=[*service, "localhost", "127.0.0.1", "10.96.0.1", host]
    )
    authority.issue("admin", "admin", groups=["system:masters"])
    authority.issue(
        "kubelet", "system:node:node1", groups=["system:nodes"], hosts=["node1", "127.0.0.1", node]
    )
    for user in ("controller-manager", "scheduler", "proxy"):
        authority.issue(user, f"system:kube-{user}")
    _new_key(PKI / "service-accounts")


def write_kubeconfig(path: Path, user: str, server: str) -> None:
    """A kubeconfig for the user whose certificate is `user`.crt."""

    def inline(file: str) -> str:
        return base64.b64encode((PKI / file).read_bytes()).decode()

    cluster = {"server": server, "certificate-authority-data": inline("ca.crt")}
    credentials = {"client-certificate-data": inline(f"{user}.crt"), "client-key-data": inline(f"{user}.key")}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "headwater-test", "cluster": cluster}],
        "users": [{"name": user, "user": credentials}],
        "contexts": [{"name": "headwater-test", "context": {"cluster": "headwater-test", "user": user}}],
        "current-context": "headwater-test",
    }
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(config, sort_keys=False))
