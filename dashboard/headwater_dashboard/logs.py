"""Where logs are: in the files of this machine, or in those that are made of what a cluster's pods print."""

from __future__ import annotations

import logging
import time
from threading import Event, Thread

from headwater.errors import HeadwaterError, UsageError
from headwater.records.changes import Seen, changed_runs
from headwater.records.log_files import log_file
from headwater.records.model import Run

from headwater_dashboard.clusters import is_remote
from headwater_dashboard.pod_logs import NOWHERE, LogSource, PodLogs
from headwater_dashboard.store import Store

logger = logging.getLogger("headwater.dashboard")

LOOK_SECONDS = 2.0
"""Between two looks for runs that have ended and whose pods may soon be removed."""


class Logs:
    """The logs of all runs. With `keep`, those of a cluster's runs are taken when they end, looked at or not.

    >>> Logs(Store("sqlite:////nowhere/headwater.db")).close()
    """

    def __init__(self, store: Store, *, keep: bool = False) -> None:
        self._store = store
        self._keeps = keep
        self._pods = PodLogs()
        self._seen = Seen()
        self._over = Event()
        self._thread = Thread(target=self._look_after, name="logs of runs on clusters", daemon=True)

    def source(self, run: Run) -> LogSource:
        """The file that a run's log is in."""
        try:
            return self._pods.of(run) if is_remote(run) else LogSource(log_file(run.run_id), run.ended)
        except UsageError:  # an id that is no file name: whoever wrote it has no log here
            return LogSource(NOWHERE, done=True)

    def start(self) -> None:
        """Begin to keep logs where that is wanted, and to let go of those that nobody looks at."""
        self._thread.start()

    def _look_after(self) -> None:
        self._pods.clean_up()
        while not self._over.is_set():
            self._pods.let_go()
            if self._keeps:
                try:
                    self._keep()
                except HeadwaterError as error:  # the database is away for a moment
                    logger.warning("logs of ended runs: %s", error)
                except Exception:  # whatever it is with one run, the logs of the others are kept
                    logger.exception("logs of ended runs")
            self._over.wait(LOOK_SECONDS)

    def _keep(self) -> None:
        with self._store.reading() as connection:
            if connection is None:
                return
            runs, self._seen = changed_runs(connection, self._seen, time.time())
        for run in runs:
            if is_remote(run) and run.ended and not self._over.is_set():
                self._pods.keep(run)

    def close(self) -> None:
        """Stop following pods."""
        self._over.set()
        self._pods.close()
