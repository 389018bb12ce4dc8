"""How long a change in the cluster takes to the screen: `python benchmarks/dashboard/screen.py [--runs 30]`.

On the test cluster (`make cluster`) with an operator that mirrors to PostgreSQL, a page of the dashboard open on the
list in Chromium. Runs of one task are created one after the other; for each change of phase, the time from the moment
a watch on the API server tells of it to the frame in which the page says it. The limit is 1 s.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from headwater.records import upgrade
from headwater.records.trends import quantile
from headwater.testing.postgres import server
from headwater_dashboard.options import Options
from playwright.sync_api import sync_playwright

from tests.cluster.api import Api
from tests.cluster.choice import Kind
from tests.cluster.fixtures import Cluster, new_namespace
from tests.cluster.places import KUBECONFIG
from tests.cluster.workflows import GROUP, spec_of, submit
from tests.dashboard.browser import chromium
from tests.dashboard.conftest import served
from tests.operator.process import running_operator

LIMIT = 1.0
TASK = """
nodes:
- name: only
  container: !sh sleep 1
"""
# In the page, each frame: when each run was first seen in each phase, in epoch seconds.
LOOK = """() => {
  window.seen = {};
  const look = () => {
    for (const row of document.querySelectorAll('[role=row]')) {
      const found = row.textContent.match(/(Pending|Running|Succeeded|Failed)(shown-\\d+-run)/);
      if (found) window.seen[found[2] + ' ' + found[1]] ??= Date.now() / 1000;
    }
    requestAnimationFrame(look);
  };
  look();
}"""


def watched(cluster: Cluster, namespace: str, seen: dict[str, float]) -> None:
    """Write down when the API server tells of each change of phase."""
    path = f"{GROUP}/namespaces/{namespace}/workflows"
    for event in cluster.api.watch(path, 600):
        phase = (event["object"].get("status") or {}).get("phase")
        if phase:
            seen.setdefault(f"{event['object']['metadata']['name']} {phase}", time.time())


def main() -> int:
    """Measure and print; 1 where the limit is exceeded."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=30)
    count = parser.parse_args().runs
    cluster = Cluster(Kind.OWN, KUBECONFIG, Api(KUBECONFIG))
    told: dict[str, float] = {}
    with (
        server() as running, running.database() as section, new_namespace(cluster) as namespace,
        tempfile.TemporaryDirectory() as folder,
    ):  # fmt: skip
        url = f"postgresql+psycopg2://{section['admin']}@{section['address']}/{section['database']}"
        upgrade(url)
        with (
            running_operator(cluster, namespace, Path(folder) / "operator.log", "--database-url", url),
            served(Options(url), interval=0.4) as address,
            sync_playwright() as playwright,
        ):
            threading.Thread(target=watched, args=(cluster, namespace, told), daemon=True).start()
            program = chromium.program()
            browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
            page = browser.new_page()
            page.goto(address)
            page.evaluate(LOOK)
            for number in range(count):
                submit(cluster, namespace, f"shown-{number}-run", spec_of(TASK))
                page.wait_for_function(f"() => 'shown-{number}-run Succeeded' in window.seen", timeout=60_000)
            shown: dict[str, float] = json.loads(page.evaluate("JSON.stringify(window.seen)"))
            browser.close()
    took = {
        phase: sorted(at - told[key] for key, at in shown.items() if key.endswith(phase) and key in told)
        for phase in ("Running", "Succeeded")
    }
    print(f"{'seconds to the screen':24} {'n':>4} {'p50':>7} {'p95':>7} {'max':>7} {'limit':>7}")
    for phase, each in took.items():
        p50, p95 = quantile(each, 0.5) or 0.0, quantile(each, 0.95) or 0.0
        print(f"{phase:24} {len(each):4} {p50:7.2f} {p95:7.2f} {max(each, default=0.0):7.2f} {LIMIT:7.2f}")
    return int(any((quantile(each, 0.95) or 0.0) > LIMIT for each in took.values()))


if __name__ == "__main__":
    sys.exit(main())
