"""`python -m tests.dashboard.browser up [--if-possible]`: have a browser for the tests of the dashboard's page."""

from __future__ import annotations

import sys

from tests.dashboard.browser import chromium


def main(words: list[str]) -> int:
    """Do what is asked; the exit code says whether it could be done."""
    if words not in (["up"], ["up", "--if-possible"]):
        print(__doc__, file=sys.stderr)
        return 2
    if chromium.program():
        return 0
    if why := chromium.obstacle():
        print(f"browser: there is no Chromium here: {why}", file=sys.stderr)
        return 0 if "--if-possible" in words else 1
    print("browser: installing Chromium ...", flush=True)
    try:
        chromium.install()
    except RuntimeError as error:
        print(f"browser: {error}", file=sys.stderr)
        return 0 if "--if-possible" in words else 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
