"""The folder of a run on the file system that its jobs share: what they are given, what they leave, what was submitted.

Below `workdir/RUN`: `given/` (calls and tables), `out/` (markers and results), `log/` (what Slurm caught of the
output), `jobs/` (a note for each submission, written before it is handed to Slurm). A resumed run goes on in the
folder of the first.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from headwater.backends.slurm.frames import packed_by_value, packed_table
from headwater.backends.slurm.worker import surroundings_here
from headwater.slurm.directives import Directives

Share = tuple[int, ...]


@dataclass(slots=True)
class Submission:
    """One job: a unit, or an array whose task `i` runs the items `shares[i]` of a map.

    `key` is a digest of what is called with which inputs: a resumed run takes over what has the same.
    """

    name: str
    path: str
    attempt: int
    is_map: bool
    shares: tuple[Share, ...]
    call: str
    table: str
    key: str = ""
    limit: int | None = None
    comment: str = ""
    after: tuple[str, ...] = ()
    directives: Directives = field(default_factory=Directives)
    job: int = 0
    adopted: bool = False
    open: set[int] = field(default_factory=set)

    @property
    def array(self) -> str:
        """The indices of its tasks as Slurm takes them."""
        return f"0-{len(self.shares) - 1}" if self.is_map else ""


class Spool:
    """The folder of one run."""

    def __init__(self, workdir: Path, run_id: str, resumed_from: str = "") -> None:
        self.folder = workdir / run_id
        self._link: Path | None = None
        self._lock: int | None = None
        before = workdir / resumed_from if resumed_from else None
        if before is not None and before.exists() and self._take(before.resolve()):
            self._link, self.folder = self.folder, before.resolve()
            self._link.symlink_to(self.folder.name)
        self.resumes = self._link is not None
        for name in ("given", "out", "log", "jobs"):
            (self.folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        if not self.resumes:
            self._take(self.folder)

    def _take(self, folder: Path) -> bool:
        """Whether no other process goes on with this folder."""
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # somebody has it; or this file system has no locks, and then nobody resumes
            os.close(descriptor)
            return False
        self._lock = descriptor
        return True

    @property
    def out(self) -> Path:
        """Where markers and results appear."""
        return self.folder / "out"

    def write_call(self, name: str, call: object) -> str:
        """Keep what jobs call, with what they need to be like this process; its path."""
        return self._write(
            self.folder / "given" / f"{name}.call", surroundings_here() + packed_by_value(call)
        )

    def write_table(self, name: str, rows: Sequence[object]) -> str:
        """Keep what each task of a job is given; its path."""
        return self._write(self.folder / "given" / f"{name}.table", packed_table(rows))

    def _write(self, file: Path, content: bytes) -> str:
        hidden = file.with_name(f".{file.name}")
        descriptor = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(content)
        hidden.rename(file)
        return str(file)

    # ---------------------------------------------------------------- what was submitted

    def note(self, submission: Submission) -> None:
        """Keep what is about to be submitted: a resumed run finds the job by its name."""
        written = {
            name: value for name, value in asdict(submission).items() if name not in ("open", "adopted")
        }
        self._write(self.folder / "jobs" / f"{submission.name}.json", json.dumps(written).encode())

    def note_failed(self, submission: Submission, index: int) -> None:
        """The engine has been told that this item (0 for a unit) failed: a resumed run does not take it over."""
        with (self.folder / "jobs" / f"{submission.name}.failed").open("a") as file:
            file.write(f"{index}\n")

    def earlier(self) -> Iterator[Submission]:
        """What the run that this one goes on with has submitted, without what has failed, the newest first."""
        files = sorted((self.folder / "jobs").glob("*.json"), key=lambda file: -file.stat().st_mtime_ns)
        for file in files:
            written = json.loads(file.read_bytes())
            failed: set[int] = set()
            with contextlib.suppress(FileNotFoundError):
                failed = {int(line) for line in file.with_suffix(".failed").read_text().split()}
            shares = tuple(tuple(i for i in share if i not in failed) for share in written.pop("shares"))
            asked = written.pop("directives")
            directives = Directives(**{**asked, "sbatch": tuple(asked["sbatch"])})
            after = tuple(written.pop("after"))
            yield Submission(shares=shares, after=after, directives=directives, adopted=True, **written)

    def remove(self) -> None:
        """The run is over: nothing of it is needed any more."""
        if self._link is not None:
            self._link.unlink(missing_ok=True)
        for link in self.folder.parent.glob("*"):
            if link.is_symlink() and link.resolve() == self.folder:
                link.unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            self.folder.parent.rmdir()
        self.close()

    def close(self) -> None:
        """Let another process go on with the folder."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def job_name(run_id: str, path: str, attempt: int, part: int = 0) -> str:
    """The name of a job, its identity: run, node, attempt; readable in squeue.

    >>> job_name("20261125-221445-g02rk3", "process[3]/transform", 2)
    'hw-20261125-221445-g02rk3-process-3-transform-c45b66-2'
    """
    readable = (
        "".join(letter if letter.isalnum() else "-" for letter in path).strip("-").replace("--", "-")[-40:]
    )
    digest = hashlib.sha256(path.encode()).hexdigest()[:6]
    return f"hw-{run_id}-{readable}-{digest}-{attempt}" + (f"p{part}" if part else "")


def shares_of(indices: Iterable[int], size: int) -> list[Share]:
    """Items divided among tasks, `size` to each.

    >>> shares_of(range(5), 2)
    [(0, 1), (2, 3), (4,)]
    """
    every = list(indices)
    return [tuple(every[start : start + size]) for start in range(0, len(every), size)]
