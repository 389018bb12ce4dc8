"""Which cluster, as whom, in which namespace: kubeconfig, `KUBECONFIG`, or the pod that we run in."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headwater.backends.kubernetes.errors import KubeconfigError
from headwater.configuration import config

DEFAULT_KUBECONFIG = "~/.kube/config"
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the runs are, as the command line says it; "" leaves it to the config, then to the kubeconfig.

    The config's section is `kubernetes: {kubeconfig, context, namespace}`.
    """

    kubeconfig: str = ""
    context: str = ""
    namespace: str = ""

    @property
    def given(self) -> bool:
        """Whether anything was said at all."""
        return bool(self.kubeconfig or self.context or self.namespace)

    def completed(self) -> Place:
        """With what the config says of the rest.

        >>> with config.override({"kubernetes": {"namespace": "science", "context": "lab"}}):
        ...     Place(context="prod").completed()
        Place(kubeconfig='', context='prod', namespace='science')
        """
        section = config.get("kubernetes") or {}
        if not isinstance(section, Mapping):
            raise KubeconfigError(
                "`kubernetes` in the config is not a mapping", fix="Write `kubernetes: {namespace: ...}`."
            )
        said = {name: str(section.get(name) or "") for name in ("kubeconfig", "context", "namespace")}
        return Place(
            self.kubeconfig or said["kubeconfig"],
            self.context or said["context"],
            self.namespace or said["namespace"],
        )


@dataclass(frozen=True, slots=True)
class Login:
    """A client's configuration, and where it leads."""

    configuration: Any
    context: str
    namespace: str
    user: str


def log_in(place: Place) -> Login:
    """Read the kubeconfig, or take the service account of the pod that we run in.

    Raises:
        KubeconfigError: there is none, it cannot be read, or it has no such context.
    """
    from kubernetes import client

    place = place.completed()
    configuration = client.Configuration()
    files = place.kubeconfig or os.environ.get("KUBECONFIG") or DEFAULT_KUBECONFIG
    found = [path for part in files.split(os.pathsep) if (path := Path(part).expanduser()).is_file()]
    if not found:
        if not place.kubeconfig and "KUBERNETES_SERVICE_HOST" in os.environ:
            return _in_cluster(place, configuration)
        raise KubeconfigError(
            f"there is no kubeconfig at {files}",
            fix="Name one with --kubeconfig or KUBECONFIG, or log in with your cluster's own tool.",
        )
    return _from_files(os.pathsep.join(map(str, found)), place, configuration)


def _from_files(files: str, place: Place, configuration: Any) -> Login:
    kube_config = _library()
    try:
        contexts, active = kube_config.list_kube_config_contexts(files)
    except Exception as error:  # the library raises yaml's, its own and KeyError alike
        raise _broken(files, error) from error
    named = {each["name"]: each for each in contexts}
    context = place.context or active["name"]
    if context not in named:
        raise KubeconfigError(
            f"the kubeconfig {files} has no context {context!r}", fix=f"It has: {', '.join(sorted(named))}."
        )
    try:
        kube_config.load_kube_config(files, context=context, client_configuration=configuration)
    except Exception as error:
        raise _broken(files, error) from error
    said = named[context]["context"]
    return Login(
        configuration, context, place.namespace or said.get("namespace") or "default", said.get("user", "")
    )


def _broken(files: str, error: Exception) -> KubeconfigError:
    said = " ".join(str(error).split())
    return KubeconfigError(
        f"the kubeconfig {files} cannot be used: {said}", fix="`kubectl config view` shows what is in it."
    )


def _in_cluster(place: Place, configuration: Any) -> Login:
    kube_config = _library()
    try:
        kube_config.load_incluster_config(client_configuration=configuration)
    except Exception as error:
        raise KubeconfigError(
            f"this pod has no access to its cluster: {error}",
            fix="Give it a serviceAccountName and automountServiceAccountToken, or name a --kubeconfig.",
        ) from error
    own = SERVICE_ACCOUNT / "namespace"
    namespace = own.read_text(encoding="utf-8").strip() if own.is_file() else "default"
    return Login(configuration, "", place.namespace or namespace, "the service account of this pod")


def _library() -> Any:
    """The client's part that reads kubeconfigs; it has no annotations."""
    return importlib.import_module("kubernetes.config")


def context_names(kubeconfig: str = "") -> list[str]:
    """The contexts of the kubeconfig, for completion; none when it cannot be read."""
    kube_config = _library()
    files = kubeconfig or os.environ.get("KUBECONFIG") or DEFAULT_KUBECONFIG
    try:
        return sorted(each["name"] for each in kube_config.list_kube_config_contexts(files)[0])
    except Exception:  # a completion must never fail loudly
        return []
