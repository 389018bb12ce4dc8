"""Commands: arguments, nesting, results, exit codes, global options."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest


@pytest.fixture
def ready(reduction):
    reduction.ok("management", "db", "upgrade", "heads")
    reduction.ok("management", "db", "make_migrations", "-p", "tuto.reduction", "-m", "first")
    reduction.ok("management", "db", "upgrade", "heads")
    return reduction


def test_a_command_without_a_database(reduction) -> None:
    assert "hello you! hello you!" in reduction.ok("greet", "you", "--times", "2")
    assert not list(reduction.folder.glob("*.db"))


def test_the_name_of_a_command_can_be_chosen(reduction) -> None:
    assert reduction("show-args", "--multiplier", "7").returncode == 0
    assert reduction("show_arguments").returncode == 2


def test_nested_commands_and_extra_arguments(reduction) -> None:
    assert "cloning ['--depth', '1']" in reduction.ok("git", "clone", "--depth", "1")
    shown = reduction.ok("git")
    assert "clone" in shown
    refused = reduction("greet", "you", "--depth", "1")
    assert refused.returncode == 2
    assert "--depth" in refused.stderr


def test_exit_codes(reduction) -> None:
    assert reduction("leave").returncode == 5
    assert reduction("greet").returncode == 2
    unknown = reduction("gret", "you")
    assert unknown.returncode == 2
    assert "Did you mean 'greet'?" in unknown.stderr
    failed = reduction("change_config")
    assert failed.returncode == 1


def test_config_cannot_be_changed_at_run_time(reduction) -> None:
    assert "ConfigError" in reduction("change_config").stderr


@pytest.mark.parametrize("where", ["before", "after"])
def test_global_options_stand_before_or_after_the_command(ready, where: str) -> None:
    options = ["--backend", "parallel", "-ll", "INFO"]
    words = [*options, "compute_data"] if where == "before" else ["compute_data", *options]
    ready.ok(*words)
    assert "Succeeded" in ready.ok("management", "list_runs")


def test_the_backend_of_a_command_and_parameters_in_a_map(reduction) -> None:
    assert reduction("scale_data").returncode == 0
    unknown = reduction("scale_data", "-b", "spark")
    assert unknown.returncode == 2
    assert "Known backends: default, kubernetes, parallel" in unknown.stderr


def test_a_missing_parameter_is_told_before_anything_runs(reduction) -> None:
    reduction.configure(parameters={})
    done = reduction("scale_data")
    assert done.returncode == 2
    assert "factor" in done.stderr
    assert "config.yml" in done.stderr


def test_version_help_and_no_color(reduction) -> None:
    assert reduction.ok("--version").startswith("headwater ")
    assert "Compute all data." in reduction.ok("compute_data", "--help")
    assert "\x1b[" not in reduction.ok("greet", "x", "--no-color")


def test_traceback_is_shown_when_asked_for(reduction) -> None:
    assert "ConfigError" in reduction("change_config", "--traceback").stderr


def test_flowctl_run_and_manage_are_one_thing(reduction) -> None:
    flowctl = [sys.executable.replace("python3", "python").rpartition("/")[0] + "/flowctl", "run"]
    done = subprocess.run(
        [*flowctl, "greet", "you"],
        cwd=reduction.folder,
        env=reduction.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "hello you!" in done.stdout


def test_a_terminated_command_leaves_no_running_row(ready) -> None:
    process = subprocess.Popen(
        [sys.executable, "manage.py", "slow"],
        cwd=ready.folder,
        env=ready.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "going\n"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=15)
    assert process.returncode == 143
    listed = ready.ok("management", "list_runs")
    assert "Cancelled" in listed
    assert "Running" not in listed


def test_shell_runs_what_is_piped_in(ready) -> None:
    done = ready("management", "shell", stdin="print(GenData()(), config['backend'], settings.PLUGINS)\n")
    assert done.returncode == 0, done.stderr
    assert "{'raw_data_array': [42, 43, 44, 45]} default" in done.stdout


def test_secrets_are_in_no_record_and_no_log(ready) -> None:
    ready.configure(secrets={"password": "hunter2hunter2"})
    commands = ready.plugin / "commands.py"
    commands.write_text(
        commands.read_text()
        + '\n\n@RootCommand.subcommand()\n@argument("--token")\ndef leak(token):\n'
        + '    print("it is", config["secrets"]["password"])\n'
        + '    raise ValueError("no login with " + config["secrets"]["password"])\n'
    )
    assert ready("leak", "--token", "tok-tok-tok").returncode == 1
    kept = b"".join(
        file.read_bytes() for file in ready.folder.rglob("*") if file.suffix in (".db", ".jsonl", ".db-wal")
    )
    assert b"no login with ***" in kept
    assert b"hunter2" not in kept
    assert "tok-tok" not in ready.ok("db", "execute_sql", "-e", "SELECT content FROM document")


def test_display_config_masks_secrets(reduction) -> None:
    reduction.configure(secrets={"password": "hunter2"})
    shown = reduction.ok("management", "display_config")
    assert "config.yml" in shown
    assert "hunter2" not in shown
