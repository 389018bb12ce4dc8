"""The settings module and the context of the present run."""

from __future__ import annotations

import pickle
import threading
from pathlib import Path

import pytest
from headwater.configuration import Context, Settings, config, context, settings
from headwater.errors import ConfigError


@pytest.fixture(autouse=True)
def _no_settings_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEADWATER_SETTINGS_MODULE", raising=False)


def module(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("HEADWATER_SETTINGS_MODULE", name)


def test_the_defaults_hold_without_a_module() -> None:
    here = Settings()
    assert here.MAIN_DATABASE == "default"
    assert here.BACKENDS == {
        "default": "headwater.backends.default",
        "parallel": "headwater.backends.parallel",
        "slurm": "headwater.backends.slurm",
        "kubernetes": "headwater.backends.kubernetes",
    }
    assert (here.PLUGINS, here.TEMP_DIR, here.ROOT_DIRECTORY, here.module) == ([], None, None, None)


def test_upper_case_names_of_the_module_lie_over_the_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "PLUGINS = ['my.plugin']\nTEMP_DIR = '/tmp/x'\nBACKENDS = {'mine': 'my.backend'}\nlower = 1\n"
    module(tmp_path, monkeypatch, "settings_of_a_test", text)
    here = Settings()
    assert here.PLUGINS == ["my.plugin"]
    assert here.TEMP_DIR == "/tmp/x"
    assert sorted(here.BACKENDS) == ["default", "kubernetes", "mine", "parallel", "slurm"]
    assert "lower" not in list(here)
    with pytest.raises(AttributeError, match="no setting 'NOPE'; there are BACKENDS, "):
        _ = here.NOPE


def test_a_module_that_cannot_be_imported_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWATER_SETTINGS_MODULE", "no_such_settings")
    with pytest.raises(
        ConfigError, match=r"'no_such_settings' cannot be imported.*HEADWATER_SETTINGS_MODULE"
    ):
        _ = Settings().PLUGINS


def test_settings_are_read_only_and_can_be_replaced_for_a_test() -> None:
    here = Settings()
    with pytest.raises(ConfigError):
        here.PLUGINS = ["x"]
    with here.use({"PLUGINS": ["x"]}):
        assert here.PLUGINS == ["x"]
    assert here.PLUGINS == []
    assert pickle.loads(pickle.dumps(settings)) is settings


def test_the_config_is_looked_for_in_the_root_directory(tmp_path: Path) -> None:
    (tmp_path / "config.yml").write_text("a: 1")
    with settings.use({"ROOT_DIRECTORY": str(tmp_path)}):
        assert config.a == 1


def test_the_context_answers_what_it_knows_of_and_names_it_otherwise() -> None:
    here = Context()
    assert (here.run_id, here.node, here.args) == (None, None, None)
    here.plugin = "my.plugin"
    assert here.plugin == "my.plugin"
    with pytest.raises(AttributeError, match=r"no 'sesion'; it has args, .*plugin, run_id"):
        _ = here.sesion
    del here.plugin
    assert not hasattr(here, "plugin")


def test_what_is_bound_is_seen_by_its_own_thread_only() -> None:
    here = Context()
    here.args = "process"
    seen: list[object] = []
    with here.bind(node="a"), here.bind(attempt=2, args="inner"):
        thread = threading.Thread(target=lambda: seen.append((here.node, here.args)))
        thread.start()
        thread.join()
        assert (here.node, here.attempt, here.args) == ("a", 2, "inner")
    assert seen == [(None, "process")]
    assert (here.node, here.args) == (None, "process")


def test_the_context_leads_to_config_and_settings_and_travels_as_a_name() -> None:
    assert context.config is config
    assert context.settings is settings
    assert pickle.loads(pickle.dumps(context)) is context
