"""Where a run is told things from outside: the config file, the settings module, where local state lives.

`config` reads the config file on first use, `settings` the settings module, `context` carries what is known
about the run that is going on. None of them costs anything until it is used.
"""

from typing import TYPE_CHECKING

from headwater.configuration.current import Config, config, load_config
from headwater.configuration.masking import masked
from headwater.configuration.places import cache_dir, database_url, state_dir
from headwater.configuration.project_settings import Settings, settings
from headwater.configuration.readonly import ReadOnlyDict, ReadOnlyList, merged, plain
from headwater.configuration.run_context import Context, context
from headwater.configuration.sections import warn_of_slips

if TYPE_CHECKING:
    from headwater.configuration.logs import logger_config, setup_logging

__all__ = [
    "Config",
    "Context",
    "ReadOnlyDict",
    "ReadOnlyList",
    "Settings",
    "cache_dir",
    "config",
    "context",
    "database_url",
    "load_config",
    "logger_config",
    "masked",
    "merged",
    "plain",
    "settings",
    "setup_logging",
    "state_dir",
    "warn_of_slips",
]


def __getattr__(name: str) -> object:
    # `logging` is loaded when it is set up, not with the first look at a setting.
    if name in ("logger_config", "setup_logging"):
        from headwater.configuration import logs

        return getattr(logs, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
