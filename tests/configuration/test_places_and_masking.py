"""Where local state lives, which database is meant, and that secrets do not get out."""

from __future__ import annotations

import logging
import logging.config
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from headwater.configuration import (
    cache_dir,
    config,
    database_url,
    logger_config,
    masked,
    settings,
    setup_logging,
    state_dir,
)
from headwater.errors import ConfigError


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("HEADWATER_CONFIG_PATH", "HEADWATER_SETTINGS_MODULE", "HEADWATER_HOME"):
        monkeypatch.delenv(name, raising=False)


def test_local_state_is_beside_the_work_or_where_the_variable_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert state_dir() == tmp_path / ".headwater"
    assert database_url() == f"sqlite:///{tmp_path}/.headwater/headwater.db"
    assert cache_dir() == tmp_path / ".headwater" / "cache"
    monkeypatch.setenv("HEADWATER_HOME", "home")
    assert state_dir() == tmp_path / "home"
    assert list(tmp_path.iterdir()) == []


def test_the_cache_folder_comes_from_config_then_settings(tmp_path: Path) -> None:
    with settings.use({"TEMP_DIR": "/scratch"}):
        assert cache_dir() == Path("/scratch/workflow_cache")
        with config.use({"workflow_cache_dir": "wf"}):
            assert cache_dir() == tmp_path / "wf"


def test_a_relative_database_path_is_beside_its_config_file(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    file = tmp_path / "project" / "config.yml"
    file.write_text("databases: {default: {dialect: sqlite, path: runs.db}}")
    with config.use(file):
        assert database_url() == f"sqlite:///{tmp_path}/project/runs.db"


def test_postgresql_has_roles_and_quotes_them() -> None:
    section = {
        "dialect": "postgresql",
        "address": "db:5432",
        "admin": "root:p@ss/w",
        "user": "ada:b y",
        "database": "runs",
    }
    with config.use({"databases": {"default": section}}):
        assert database_url() == "postgresql+psycopg2://ada:b%20y@db:5432/runs"
        assert database_url(role="admin") == "postgresql+psycopg2://root:p%40ss%2Fw@db:5432/runs"


@pytest.mark.parametrize(
    ("databases", "message"),
    [
        ({"main": {"dialect": "oracle"}}, "unknown dialect 'oracle'.*sqlite, postgresql"),
        ({"main": {"dialect": "sqlite"}}, "lacks `path`"),
        ({"main": {"dialect": "postgresql", "user": "a:b"}}, "lacks `address`"),
        ({"main": "sqlite"}, "unknown dialect None"),
        ({"other": {}}, r"no database 'main' \(it has: other\)"),
        ([], "no database 'main'"),
        (["x"], "not a mapping"),
    ],
)
def test_a_database_that_cannot_be_meant_is_refused(databases: Any, message: str) -> None:
    settings_of_test = settings.use({"MAIN_DATABASE": "main"})
    with config.use({"databases": databases}), settings_of_test, pytest.raises(ConfigError, match=message):
        database_url()


def test_another_database_beside_leaves_the_run_database_local(tmp_path: Path) -> None:
    with config.use({"databases": {"results": {"dialect": "sqlite", "path": "/data/r.db"}}}):
        assert database_url() == f"sqlite:///{tmp_path}/.headwater/headwater.db"
        assert database_url("results") == "sqlite:////data/r.db"


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("password", "x", "***"),
        ("dbPassword", 12345, "***"),
        ("DB_PASSWD", "x", "***"),
        ("api_key", "x", "***"),
        ("apiKey", "x", "***"),
        ("APIKey", "x", "***"),
        ("aws-secret-access-key", "x", "***"),
        ("token", "x", "***"),
        ("github_token", "x", "***"),
        ("tokens", ["a", "b"], ["***", "***"]),
        ("credentials", {"name": "a", "deep": [{"x": 1}]}, {"name": "***", "deep": [{"x": "***"}]}),
        ("admin", "root:pw", "root:***"),
        ("user", "ada", "ada"),
        ("url", "postgresql://ada:pw@db/x", "postgresql://ada:***@db/x"),
        ("urls", ["https://ada:pw@host/x?y=1"], ["https://ada:***@host/x?y=1"]),
        ("max_tokens", 100, 100),
        ("use_token", True, True),
        ("password", None, None),
        ("monkey", "banana", "banana"),
        ("keyboard", "qwerty", "qwerty"),
        ("multiplier", 3, 3),
    ],
)
def test_secrets_are_masked_and_the_rest_is_not(key: str, value: Any, shown: Any) -> None:
    original = {"section": {key: value}}
    assert masked(original) == {"section": {key: shown}}
    assert original == {"section": {key: value}}


# ---------------------------------------------------------------- logging


@pytest.fixture
def _logging_put_back() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("headwater")
    before = (root.level, root.handlers[:], ours.level, ours.handlers[:])
    yield
    for handler in root.handlers:
        if handler not in before[1]:
            handler.close()
    root.level, root.handlers[:], ours.level, ours.handlers[:] = before


def test_the_logging_section_lies_over_the_default() -> None:
    with config.use({"logging": {"loggers": {"my": {"level": "DEBUG"}}}}):
        result = logger_config()
    assert result["loggers"] == {"headwater": {"level": "INFO"}, "my": {"level": "DEBUG"}}
    assert result["root"]["handlers"] == ["console"]
    assert logger_config(level="debug")["loggers"]["headwater"]["level"] == "DEBUG"


@pytest.mark.usefixtures("_logging_put_back")
def test_the_file_handler_writes_below_the_local_state_and_only_when_used(tmp_path: Path) -> None:
    setup_logging()
    assert list(tmp_path.iterdir()) == []
    with config.use({"logging": {"root": {"handlers": ["file"]}}}):
        setup_logging("INFO")
    logging.getLogger("any").info("a line")
    assert "INFO any: a line" in (tmp_path / ".headwater/logs/headwater.log").read_text()


@pytest.mark.usefixtures("_logging_put_back")
def test_the_console_has_no_colours_off_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    setup_logging()
    logging.getLogger("any").warning("careful")
    assert capsys.readouterr().err == "WARNING any: careful\n"


@pytest.mark.parametrize("section", [{"root": {"handlers": ["nope"]}}, {"root": {"level": "LOUD"}}, 3])
@pytest.mark.usefixtures("_logging_put_back")
def test_a_wrong_logging_section_is_refused(section: Any) -> None:
    with config.use({"logging": section}), pytest.raises(ConfigError, match="logging"):
        setup_logging()
