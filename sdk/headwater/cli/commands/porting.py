"""port: a pipeline written for Outflow."""

from __future__ import annotations

from pathlib import Path

from headwater.cli.printing import print_json
from headwater.pipeline.port import port_path


def port_pipeline(path: str, *, json: bool) -> None:
    """Rewrite the imports and say what is left."""
    done = port_path(Path(path))
    if json:
        print_json(
            {
                "changed": [str(file) for file in done.changed],
                "left": [
                    {"file": str(each.file), "line": each.line, "symbol": each.symbol, "why": each.why}
                    for each in done.left
                ],
            }
        )
        return
    for file in done.changed:
        print(f"ported {file}")
    if not done.changed:
        print("nothing to port" if not done.left else "nothing more can be ported by itself")
    if done.left:
        print("\nleft for you:")
        for each in done.left:
            print(f"  {each}")
