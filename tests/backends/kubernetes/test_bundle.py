"""What goes into a bundle, what stays at home, and that the same files give the same bytes."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from headwater.backends.kubernetes import codes
from headwater.backends.kubernetes.bundle import CONFIG_MAP_LIMIT, bundle_for, pack
from headwater.backends.kubernetes.errors import BundleError
from headwater.backends.kubernetes.manifest import spec_of
from headwater.cli.targets import find_target
from headwater.configuration import config

PIPELINE = """
from headwater import task, workflow
import json
import alone
from near import helper


@task
def make() -> {"x": int}:
    from near.deep import late
    return helper.value() + alone.one() + late.two()


@workflow
def flow():
    make()
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    known = set(sys.modules)
    for place, text in {
        "bundled.py": PIPELINE,
        "alone.py": "def one(): return 1\n",
        "unused.py": "raise RuntimeError\n",
        "near/__init__.py": "",
        "near/helper.py": "def value(): return 3\n",
        "near/deep/__init__.py": "",
        "near/deep/late.py": "def two(): return 2\n",
        "near/by_name.py": "found = True\n",
        "near/table.csv": "1,2\n",
        "near/.hidden": "",
        "near/key.pem": "secret",
        "near/config.yml": "password: x",
        "near/__pycache__/helper.cpython-311.pyc": "",
        "near/.venv/lib.py": "",
        "near/big.bin": "x",
        ".headwaterignore": "# data\nbig.*\n",
        "config.yml": "secrets: {token: abcdef}\n",
        ".env": "TOKEN=1",
    }.items():
        path = tmp_path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    yield tmp_path
    for name in set(sys.modules) - known:
        if name.partition(".")[0] in ("bundled", "alone", "near", "odd"):
            del sys.modules[name]


def names(target: str) -> list[str]:
    bundle = bundle_for(spec_of(find_target(target).compiled))
    assert bundle is not None
    return list(bundle.sizes)


def test_the_file_what_it_imports_and_the_whole_packages_go_along(project: Path) -> None:
    assert names("bundled.py") == [
        "alone.py",
        "bundled.py",
        "near/__init__.py",
        "near/by_name.py",
        "near/deep/__init__.py",
        "near/deep/late.py",
        "near/helper.py",
        "near/table.csv",
    ]


def test_what_was_left_out_can_be_asked_for(project: Path) -> None:
    (project / "near" / ".headwaterignore").write_text("!big.bin\n!config.yml\ndeep\n")
    found = names("bundled.py")
    assert {"near/big.bin", "near/config.yml"} <= set(found)
    assert "near/deep/late.py" in found  # it is imported: code that is needed goes along whatever is ignored


def test_the_config_in_force_never_goes_along(project: Path) -> None:
    (project / "near" / "settings.json").write_text("{}")
    with config.use(project / "near" / "settings.json"):
        assert "near/settings.json" not in names("bundled.py")


def test_what_tasks_look_up_in_the_config_goes_along_without_its_secrets(project: Path) -> None:
    (project / "config.yml").write_text(
        "survey: {name: deep, password: hunter2, address: 'db://me:pw@host'}\nsecrets: {token: abcdef}\n"
        "databases: {default: {dialect: sqlite, path: x}}\nparameters: {make: {}}\n"
    )
    config.reload()
    bundle = bundle_for(spec_of(find_target("bundled.py").compiled))
    assert bundle is not None
    text = zipfile.ZipFile(io.BytesIO(bundle.data)).read("config.json").decode()
    assert json.loads(text) == {"survey": {"name": "deep"}}


def test_the_same_files_give_the_same_bytes_whenever_they_were_written(project: Path) -> None:
    spec = spec_of(find_target("bundled.py").compiled)
    first = bundle_for(spec)
    os.utime(project / "alone.py", (1, 1))
    (project / "near" / "helper.py").chmod(0o700)
    second = bundle_for(spec)
    assert first is not None
    assert second is not None
    assert first.digest == second.digest
    (project / "alone.py").write_text("def one(): return 2\n")
    third = bundle_for(spec)
    assert third is not None
    assert third.digest != first.digest
    assert third.config_map != first.config_map


def test_a_pod_can_import_every_reference(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    compiled = find_target("bundled.py").compiled
    bundle = bundle_for(spec_of(compiled))
    assert bundle is not None
    pod = tmp_path_factory.mktemp("pod")
    zipfile.ZipFile(io.BytesIO(bundle.data)).extractall(pod)
    (ref,) = (ref for ref in compiled.objects if "make" in ref)
    module, _, name = ref.partition(":")
    script = f"import {module}; print({module}.{name}()(), open('near/table.csv').read())"
    done = subprocess.run([sys.executable, "-c", script], cwd=pod, capture_output=True, text=True)
    assert done.stdout.strip() == "{'x': 6} 1,2", done.stderr


def test_a_file_whose_name_is_no_module_name_goes_under_the_name_that_it_was_given(project: Path) -> None:
    (project / "my-flow.py").write_text(PIPELINE)
    assert "flowctl_target_my_flow.py" in names("my-flow.py")


def test_a_task_of_a_function_brings_the_modules_that_it_names(project: Path) -> None:
    (project / "odd.py").write_text(
        "import alone\nfrom headwater import Workflow, task\n\n\ndef build():\n    @task\n"
        '    def inner() -> {"x": int}:\n        return alone.one()\n\n    with Workflow() as w:\n        inner()\n'
        "    return w\n\n\nflow = build()\n"
    )
    assert {"alone.py"} <= set(names("odd.py:flow"))


def test_what_names_no_code_of_the_project_needs_no_bundle() -> None:
    assert bundle_for({"blocks": [{"name": "main", "nodes": [{"name": "a", "task": "math:sqrt"}]}]}) is None


def test_code_too_large_for_a_config_map_says_its_size_its_biggest_files_and_what_to_do() -> None:
    bundle = pack({"big.bin": os.urandom(CONFIG_MAP_LIMIT + 10_000), "small.py": b"x = 1"})
    with pytest.raises(BundleError) as refused:
        codes.code_section(bundle, None)
    assert "709 KiB" in str(refused.value) or "710 KiB" in str(refused.value)
    assert "big.bin" in str(refused.value)
    assert ".headwaterignore" in str(refused.value)
    assert "--store" in str(refused.value)


def test_code_too_large_for_a_config_map_is_uploaded_where_there_is_a_store(tmp_path: Path) -> None:
    bundle = pack({"big.bin": os.urandom(CONFIG_MAP_LIMIT + 10_000)})
    with config.override({"store": f"file://{tmp_path}/store"}):
        section = codes.code_section(bundle, None)
    assert section["digest"] == bundle.digest
    path = Path(section["url"].removeprefix("file://"))
    assert path.read_bytes() == bundle.data
    assert codes.code_section(bundle, f"file://{tmp_path}/store") == section
