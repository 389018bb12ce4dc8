"""Read a config file: YAML, JSON or TOML, with `!include` in YAML relative to the including file."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

from headwater.errors import ConfigError

CONFIG_NAMES = ("config.yml", "config.yaml", "config.json", "config.toml")
CONFIG_VARIABLE = "HEADWATER_CONFIG_PATH"
SUFFIXES = (".yml", ".yaml", ".json", ".toml")


def find_config(folder: Path) -> Path | None:
    """The config file used where none is named: the variable's, else one of the usual names in `folder`."""
    named = os.environ.get(CONFIG_VARIABLE)
    if named:
        path = Path(named).expanduser()
        if not path.is_file():
            raise ConfigError(
                f"the config file {named!r}, named by {CONFIG_VARIABLE}, does not exist",
                fix=f"Create it, or correct or unset {CONFIG_VARIABLE}.",
            )
        return path.absolute()
    for name in CONFIG_NAMES:
        path = folder / name
        if path.is_file():
            return path.absolute()
    return None


def read_config(path: Path) -> dict[str, Any]:
    """The content of a config file, its includes read in.

    Raises `ConfigError` when the file is missing, not readable, of an unknown kind or not a mapping.
    """
    content = _read(path.expanduser(), ())
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(
            f"the config file {str(path)!r} holds a {type(content).__name__}, not a mapping",
            fix="Write `section: ...` lines at its top level.",
        )
    return content


def _read(path: Path, including: tuple[Path, ...]) -> Any:
    resolved = path.resolve()
    if resolved in including:
        circle = " -> ".join(str(item) for item in (*including[including.index(resolved) :], resolved))
        raise ConfigError(f"config files include each other: {circle}", fix="Remove one `!include`.")
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(
            f"the config file {str(path)!r} is of an unknown kind {path.suffix!r}",
            fix=f"Use one of: {', '.join(SUFFIXES)}.",
        )
    text = _text(path, including)
    try:
        return _parse(text, path, (*including, resolved))
    except ConfigError:
        raise
    except (
        Exception
    ) as error:  # each parser has its own errors: yaml.YAMLError, JSONDecodeError, TOMLDecodeError
        raise ConfigError(
            f"the config file {str(path)!r} cannot be read: {_reason(error)}", fix="Correct it."
        ) from error


def _reason(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return str(error)
    return f"line {mark.line + 1}, column {mark.column + 1}: {getattr(error, 'problem', error)}"


def _text(path: Path, including: tuple[Path, ...]) -> str:
    where = f", included by {str(including[-1])!r}," if including else ""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(
            f"the config file {str(path)!r}{where} does not exist", fix="Check the path."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"the config file {str(path)!r}{where} cannot be read: {error}",
            fix="Check its permissions and encoding.",
        ) from error


def _parse(text: str, path: Path, including: tuple[Path, ...]) -> Any:
    suffix = path.suffix.lower()
    if suffix == ".json":
        import json

        return json.loads(text)
    if suffix == ".toml":
        import tomllib

        return tomllib.loads(text)
    loader = _yaml_loader()(text)
    loader.name = str(path)
    loader.headwater_including = including
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


@cache
def _yaml_loader() -> Any:
    """PyYAML's safe loader with `!include`, refusing a key that stands twice. Imported when first needed."""
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc]  # the base is chosen at run time
        headwater_including: tuple[Path, ...] = ()

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            seen: set[str] = set()
            for key, _ in node.value:
                if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                    if key.value in seen:
                        where = f"{str(self.headwater_including[-1])!r}, line {key.start_mark.line + 1}"
                        raise ConfigError(
                            f"{where}: the key {key.value!r} stands twice",
                            fix="Remove one of them.",
                        )
                    seen.add(key.value)
            mapping: dict[Any, Any] = super().construct_mapping(node, deep)
            return mapping

    def include(loader: Any, node: Any) -> Any:
        target = Path(loader.construct_scalar(node)).expanduser()
        return _read(loader.headwater_including[-1].parent / target, loader.headwater_including)

    Loader.add_constructor("!include", include)
    return Loader
