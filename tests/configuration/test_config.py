"""The config file: where it is found, what it may hold, and that nobody changes it at run time."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path

import pytest
from headwater.configuration import Config, ReadOnlyDict, ReadOnlyList, load_config, merged, plain
from headwater.errors import ConfigError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HEADWATER_CONFIG_PATH", raising=False)
    monkeypatch.delenv("HEADWATER_SETTINGS_MODULE", raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("config.yml", "parameters: {compute: {multiplier: 3}}"),
        ("config.yaml", "parameters: {compute: {multiplier: 3}}"),
        ("config.json", '{"parameters": {"compute": {"multiplier": 3}}}'),
        ("config.toml", "[parameters.compute]\nmultiplier = 3\n"),
    ],
)
def test_a_config_in_the_current_folder_is_found_in_every_format(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    config = Config()
    assert config["parameters"]["compute"]["multiplier"] == 3
    assert config.parameters.compute.multiplier == 3
    assert config.path == folder / name


def test_without_a_file_the_config_is_empty(folder: Path) -> None:
    config = Config()
    assert (dict(config), len(config), config.path) == ({}, 0, None)
    assert config.get("parameters") is None


def test_the_variable_wins_over_the_current_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "config.yml").write_text("a: 1")
    (folder / "other.toml").write_text("a = 2")
    monkeypatch.setenv("HEADWATER_CONFIG_PATH", str(folder / "other.toml"))
    assert load_config().a == 2
    assert load_config(folder / "config.yml").a == 1


def test_a_named_file_that_does_not_exist_is_an_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"'nowhere\.yml' does not exist"):
        load_config("nowhere.yml")
    monkeypatch.setenv("HEADWATER_CONFIG_PATH", "nowhere.yml")
    with pytest.raises(ConfigError, match=r"named by HEADWATER_CONFIG_PATH.*correct or unset"):
        Config().get("a")


def test_the_config_follows_the_current_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config()
    assert "a" not in config
    (folder / "below").mkdir()
    (folder / "below" / "config.yml").write_text("a: 1")
    monkeypatch.chdir(folder / "below")
    assert config.a == 1


def test_includes_are_relative_to_the_including_file(folder: Path) -> None:
    (folder / "sub" / "deep").mkdir(parents=True)
    (folder / "config.yml").write_text("parameters: !include sub/parameters.yml\nplain: 1\n")
    (folder / "sub" / "parameters.yml").write_text(
        "compute: !include deep/compute.json\nlist: [!include deep/x.toml]"
    )
    (folder / "sub" / "deep" / "compute.json").write_text('{"multiplier": 3}')
    (folder / "sub" / "deep" / "x.toml").write_text("y = 1")
    assert Config().to_dict() == {
        "parameters": {"compute": {"multiplier": 3}, "list": [{"y": 1}]},
        "plain": 1,
    }


def test_a_missing_include_names_both_files(folder: Path) -> None:
    (folder / "config.yml").write_text("a: !include gone.yml")
    with pytest.raises(ConfigError, match=r"gone\.yml', included by '.*config\.yml', does not exist"):
        load_config("config.yml")


def test_files_that_include_each_other_are_an_error_that_names_the_circle(folder: Path) -> None:
    (folder / "a.yml").write_text("x: !include b.yml")
    (folder / "b.yml").write_text("x: !include a.yml")
    with pytest.raises(ConfigError, match=r"a\.yml -> .*b\.yml -> .*a\.yml"):
        load_config("a.yml")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("c.ini", "a = 1", r"unknown kind '\.ini'.*\.yml, \.yaml, \.json, \.toml"),
        ("c.yml", "a: [1", r"c\.yml.*line"),
        ("c.json", "{", r"c\.json.*cannot be read"),
        ("c.toml", "a = ", r"c\.toml.*cannot be read"),
        ("c.yml", "- 1", r"holds a list, not a mapping"),
        ("c.yml", "a: 1\nb: 2\na: 3", r"line 3: the key 'a' stands twice"),
        ("c.yml", "a: !!python/object:os.system x", r"c\.yml"),
    ],
)
def test_a_file_that_is_not_a_config_is_refused(folder: Path, name: str, text: str, message: str) -> None:
    (folder / name).write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_config(name)


def test_merge_keys_and_empty_files_work(folder: Path) -> None:
    (folder / "config.yml").write_text("base: &b {x: 1}\nfull: {<<: *b, y: 2}\nagain: {x: 9, <<: *b}")
    assert plain(load_config("config.yml"))["full"] == {"x": 1, "y": 2}
    (folder / "empty.yml").write_text("# nothing\n")
    assert len(load_config("empty.yml")) == 0


def test_setting_anything_raises(folder: Path) -> None:
    (folder / "config.yml").write_text("a: {b: [1]}")
    config = Config()
    with pytest.raises(ConfigError, match="read-only"):
        config["a"] = 1
    with pytest.raises(ConfigError, match="read-only"):
        config.a = 1
    with pytest.raises(ConfigError, match="read-only"):
        config.a["b"] = 1
    with pytest.raises(ConfigError, match="read-only"):
        config.a.b = 1
    with pytest.raises(ConfigError, match="read-only"):
        config.a.b.append(2)
    with pytest.raises(ConfigError, match="read-only"):
        config.a.update(c=1)
    with pytest.raises(ConfigError, match="read-only"):
        config.a |= {"c": 1}
    with pytest.raises(ConfigError, match="read-only"):
        del config["a"]
    assert config.to_dict() == {"a": {"b": [1]}}


def test_an_unknown_section_names_the_known_ones(folder: Path) -> None:
    (folder / "config.yml").write_text("parameters: {}")
    with pytest.raises(AttributeError, match="no 'paramters'; it has parameters"):
        _ = Config().paramters


def test_use_and_override_end_with_their_block(folder: Path) -> None:
    config = Config()
    with config.use({"parameters": {"t": {"x": 1, "y": 2}}}):
        with config.override({"parameters": {"t": {"x": 5}}, "backend": "parallel"}):
            assert config.to_dict() == {"parameters": {"t": {"x": 5, "y": 2}}, "backend": "parallel"}
        assert config.parameters.t.x == 1
    assert len(config) == 0
    (folder / "c.json").write_text('{"a": 1}')
    config.use("c.json")
    assert (config.a, config.path) == (1, folder / "c.json")
    config.reload()
    assert len(config) == 0


def test_read_only_values_compare_copy_travel_and_dump_as_ordinary_ones() -> None:
    section = ReadOnlyDict({"a": {"b": [1, {"c": 2}]}})
    assert section == {"a": {"b": [1, {"c": 2}]}}
    assert json.loads(json.dumps(section)) == section
    again = pickle.loads(pickle.dumps(section))
    assert (type(again), type(again.a.b)) == (ReadOnlyDict, ReadOnlyList)
    assert again == section
    copied = copy.deepcopy(section)
    copied["a"]["b"].append(3)
    assert (type(copied), type(copy.copy(section)), type(copy.copy(section.a.b))) == (dict, dict, list)
    assert section.a.b == [1, {"c": 2}]


def test_the_config_object_travels_as_a_name(folder: Path) -> None:
    from headwater.configuration import config

    assert pickle.loads(pickle.dumps(config)) is config


def test_merged_changes_neither_side() -> None:
    base, over = {"a": {"x": [1]}, "b": 1}, {"a": {"y": 2}, "b": {"z": 1}}
    assert merged(base, over) == {"a": {"x": [1], "y": 2}, "b": {"z": 1}}
    assert base == {"a": {"x": [1]}, "b": 1}
