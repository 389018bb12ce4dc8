"""Every case on real pods, run by a real operator: the same outputs, phases, order and errors."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from headwater.backends import run
from headwater.configuration import config

import tests.conformance.cases.everything  # noqa: F401  # registers them
from tests.cluster.fixtures import Cluster, _held, new_namespace
from tests.conformance.case import CASES, ENDING_PROCESSES, Case, check_result
from tests.conformance.kubernetes import ONE_POD_A_NODE, Outcome, Suite, claimed_folder, home
from tests.operator.process import running_operator

pytestmark = [pytest.mark.xdist_group("conformance-kubernetes"), pytest.mark.timeout(1800)]
RUNNING = [case for case in (CASES | ENDING_PROCESSES).values() if case.refusal is None]
REFUSED = [case for case in CASES.values() if case.refusal is not None]


@pytest.fixture(scope="session")
def outcomes(
    cluster: Cluster, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Outcome]:
    """What the cases came to that this session has selected."""
    wanted = [
        item.callspec.params["case"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.originalname == test_case_on_kubernetes.__name__
    ]
    if cluster.kind != "own":
        pytest.skip("scratch folders are looked into from outside: only the project's own cluster shows them")
    folder = tmp_path_factory.mktemp("conformance")
    with (
        _held(exclusive=False),
        home(folder),
        new_namespace(cluster) as namespace,
        claimed_folder(cluster, namespace) as scratch,
        running_operator(cluster, namespace, folder / "operator.log"),
    ):
        found = Suite(cluster, namespace, scratch).outcomes(wanted)
        for name, outcome in found.items():
            if (CASES | ENDING_PROCESSES)[name].check is not None:
                shutil.copytree(outcome.scratch, folder / name.replace("/", "-"))
        return {
            name: Outcome(each.result, each.error, folder / name.replace("/", "-"))
            for name, each in found.items()
        }


@pytest.mark.parametrize("case", RUNNING, ids=[case.name for case in RUNNING])
def test_case_on_kubernetes(case: Case, outcomes: Mapping[str, Outcome]) -> None:
    outcome = outcomes[case.name]
    if outcome.error is not None:
        raise outcome.error
    assert outcome.result is not None
    check_result(case, outcome.result, outcome.scratch)


@pytest.mark.parametrize("case", REFUSED, ids=[case.name for case in REFUSED])
def test_case_refused_before_anything_is_submitted(case: Case, tmp_path: Path) -> None:
    assert case.refusal is not None
    nowhere = {"kubeconfig": str(tmp_path / "there-is-none")}

    def submit() -> None:
        compiled = case.workflow(tmp_path).compiled()
        run(compiled, backend="kubernetes", inputs=case.inputs, track=False, options=nowhere)

    with config.override(case.config or {}), pytest.raises(case.refusal.type) as refused:
        submit()
    assert [words for words in case.refusal.says if words not in str(refused.value)] == []
    assert "kubeconfig" not in str(refused.value)


def test_the_chosen_cases_exist() -> None:
    assert set(CASES) >= ONE_POD_A_NODE
