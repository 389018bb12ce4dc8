"""What a unit finds around it: its run's parameters in the config, logging as it would be locally, secrets unseen.

A config file is there where the bundle or the image brings one. Most pods have none, and load nothing for it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import Any

CONTEXT = "headwater.dev/context"
"""The section of the parameters that a submitted command puts its arguments into: name -> pickle."""

_CONFIG_FILES = ("config.yml", "config.yaml", "config.json", "config.toml")
_VARIABLES = ("HEADWATER_CONFIG_PATH", "HEADWATER_SETTINGS_MODULE")

_secrets: tuple[str, ...] = ()


def settle(parameters: Mapping[str, Any]) -> None:
    """Make this process like one that runs tasks on the author's machine.

    Raises:
        ConfigError: the config file cannot be read.
    """
    parameters = _without_context(parameters)
    configured = any(map(os.environ.get, _VARIABLES)) or any(map(os.path.exists, _CONFIG_FILES))
    if parameters:
        from headwater.configuration import config

        config.override({"parameters": parameters})
    if configured:
        _by_config()
    elif logging.lastResort is not None:
        # What takes records while nobody has set up logging; it writes to `sys.stderr` as it is at the time.
        logging.lastResort.setLevel(logging.NOTSET)
        logging.lastResort.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
        logging.getLogger("headwater").setLevel(logging.INFO)


def _without_context(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """The parameters of tasks; what came with them for `context` is put there."""
    carried = parameters.get(CONTEXT)
    if carried is None:
        return parameters
    from headwater.configuration import context
    from headwater.runtime.code import unpickled

    for name, text in carried.items():
        setattr(context, name, unpickled(text))
    return {name: section for name, section in parameters.items() if name != CONTEXT}


def _by_config() -> None:
    global _secrets
    from headwater.configuration import config, settings
    from headwater.configuration.logs import setup_logging
    from headwater.configuration.masking import secret_values

    _secrets = secret_values(config)
    setup_logging(info=settings.PLUGINS)


def has_secrets() -> bool:
    """Whether there is anything to hide."""
    return bool(_secrets)


def scrubbed(text: str) -> str:
    """A text in which the config's secrets are replaced by `***`."""
    for secret in _secrets:
        text = text.replace(secret, "***")
    return text
