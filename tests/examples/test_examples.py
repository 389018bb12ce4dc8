"""Every example runs, on both backends, and gives what its README says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
FLOWCTL = str(Path(sys.executable).parent / "flowctl")


def run(folder: Path, *arguments: str, home: Path, cwd: Path | None = None) -> dict[str, Any]:
    done = subprocess.run(
        [FLOWCTL, "run", *arguments, "--output", "json"],
        cwd=cwd or folder,
        env={**os.environ, "HEADWATER_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


REDUCTION: list[tuple[list[str], dict[str, Any]]] = [
    (["plain.py"], {"printed": 85}),
    (["typed.py", "-p", "start=10"], {}),
    (["mapped.py"], {"total": 64}),
    (["conditional.py", "-p", "raw_data=8"], {"printed": 4}),
    (["conditional.py"], {"printed": 22}),
    (["iterative.py", "-p", "number=9.0"], {"root": 3.0}),
    (["cached.py"], {"most": 2}),
]


@pytest.mark.parametrize("backend", ["default", "parallel"])
@pytest.mark.parametrize(("arguments", "outputs"), REDUCTION, ids=lambda part: str(part)[:30])
def test_the_reduction_tutorial(arguments, outputs, backend: str, headwater_home: Path) -> None:
    found = run(EXAMPLES / "reduction", *arguments, "-b", backend, home=headwater_home)
    assert found["outputs"] == outputs


def test_the_cached_example_computes_once(headwater_home: Path) -> None:
    for cached in (0, 5):
        found = run(EXAMPLES / "reduction", "cached.py", home=headwater_home)
        assert found["nodes"]["factorise-each"]["items"]["cached"] == cached


def test_the_digits_analysis_draws_its_plot(tmp_path: Path, headwater_home: Path) -> None:
    script = str(EXAMPLES / "digits" / "analysis.py")
    found = run(EXAMPLES, script, "-b", "parallel", home=headwater_home, cwd=tmp_path)
    assert found["nodes"]["trainings"]["items"] == {"total": 120, "succeeded": 120, "failed": 0, "cached": 0}
    plot = Path(found["outputs"]["plot"])
    assert plot.parent == tmp_path
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert plot.stat().st_size > 50_000


@pytest.mark.parametrize(
    "folder", [each for each in EXAMPLES.iterdir() if each.is_dir()], ids=lambda f: f.name
)
def test_each_example_has_a_readme(folder: Path) -> None:
    assert (folder / "README.md").read_text().startswith("# ")
