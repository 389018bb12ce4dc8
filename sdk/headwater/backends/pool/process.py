"""One worker process as its parent sees it: started, written to, read from, ended."""

from __future__ import annotations

import contextlib
import mmap
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from headwater.backends.pool.protocol import (
    DOING,
    LIMIT,
    NO_LIMIT,
    PAGE_SIZE,
    SINCE,
    Data,
    Frame,
    FrameReader,
    Kind,
    dump,
    frame,
)
from headwater.errors import UsageError

_BOOT = (
    "import sys; ids = [int(each) for each in sys.argv[1:5]]; sys.path[:] = sys.argv[5:]; "
    "from headwater.backends.pool.worker import main; main(*ids)"
)
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_MOST_FRAMES = 64
_MOST_PIECES = 64


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a task may take for granted to be as in the parent: where modules are found, folder, environment."""

    path: tuple[str, ...]
    cwd: str | None
    environ: dict[str, str] = field(hash=False)
    argv: tuple[str, ...]

    @staticmethod
    def here(threads: int) -> Surroundings:
        """Those of this process; numerical libraries get `threads` threads unless the user has said how many."""
        try:
            cwd: str | None = os.getcwd()
        except OSError:  # the folder has been deleted
            cwd = None
        path = tuple(os.path.abspath(entry) for entry in sys.path if isinstance(entry, str))
        environ = {**dict.fromkeys(_THREADS, str(threads)), **os.environ}
        return Surroundings(path, cwd, environ, tuple(sys.argv))

    def frame(self) -> list[Data]:
        """What tells a worker of them."""
        return frame(Kind.SURROUNDINGS, dump((self.cwd, self.environ, self.argv))[0])


class WorkerProcess:
    """The parent's handle: a process, a socket, a shared page, a pipe whose closing ends the process."""

    def __init__(self, surroundings: Surroundings) -> None:
        if not sys.executable:
            raise UsageError(
                "worker processes need to know the Python interpreter: `sys.executable` is empty"
            )
        self.sock, theirs = socket.socketpair()
        self.sock.setblocking(False)
        page, (lifeline, self._lifeline) = _shared_page(), os.pipe()
        inherited = (theirs.fileno(), page, lifeline)
        try:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    *subprocess._args_from_interpreter_flags(),  # type: ignore[attr-defined]  # as multiprocessing
                    "-c",
                    _BOOT,
                    *map(str, (*inherited, os.getpid())),
                    *surroundings.path,
                ],
                stdin=subprocess.DEVNULL,
                pass_fds=inherited,
                env=surroundings.environ,
                start_new_session=True,  # a terminal's Ctrl-C is for the parent alone
            )
            self._map = mmap.mmap(page, PAGE_SIZE)
        except BaseException:
            self.sock.close()
            os.close(self._lifeline)
            raise
        finally:
            theirs.close()
            os.close(page)
            os.close(lifeline)
        self._released = False
        self.page = memoryview(self._map).cast("q")
        self.page[LIMIT] = NO_LIMIT
        self.pid = self.process.pid
        self.pidfd = _pidfd(self.pid)
        self.told = surroundings
        self._reader = FrameReader(self.sock)
        self._outbox: deque[memoryview] = deque()
        self.at_end = False

    # ------------------------------------------------------------ talking

    def post(self, pieces: Sequence[Data]) -> None:
        """Send a frame as far as that is possible without waiting; the rest goes with `push`."""
        self._outbox.extend(memoryview(piece) for piece in pieces if len(piece))
        self.push()

    @property
    def wants_to_send(self) -> bool:
        """Whether something waits for the worker to read."""
        return bool(self._outbox)

    def push(self) -> None:
        """Send what waits, without blocking."""
        outbox = self._outbox
        while outbox:
            try:
                sent = self.sock.sendmsg([outbox[at] for at in range(min(len(outbox), _MOST_PIECES))])
            except BlockingIOError:
                return
            except OSError:  # it has died; that is found out by reading
                outbox.clear()
                return
            while sent:
                piece = outbox.popleft()
                if sent < len(piece):
                    outbox.appendleft(piece[sent:])
                    break
                sent -= len(piece)

    def frames(self, most: int = _MOST_FRAMES) -> list[Frame]:
        """The frames that have arrived; `at_end` turns true when no more can come."""
        arrived: list[Frame] = []
        while len(arrived) < most and not self.at_end:
            try:
                one = self._reader.read()
            except (EOFError, OSError):
                self.at_end = True
                break
            if one is None:
                break
            arrived.append(one)
        return arrived

    @property
    def doing(self) -> int:
        """The serial of what it is calling, or one of IDLE, LOADING, UNPACKING."""
        return self.page[DOING]

    @property
    def seconds_in(self) -> float:
        """How long it has been at what it is doing."""
        return (time.monotonic_ns() - self.page[SINCE]) / 1e9

    # ------------------------------------------------------------ ending

    def signal(self, signum: int) -> None:
        """Send a signal to the process and to those that it has started."""
        if self.process.returncode is None:
            try:
                os.killpg(self.pid, signum)
            except (ProcessLookupError, PermissionError):
                return

    def hang_up(self) -> None:
        """Close the conversation: an idle worker ends by itself."""
        self._outbox.clear()
        self.sock.close()

    def has_ended(self) -> bool:
        """Whether the process is gone; it is reaped, and what it left running is killed."""
        if self.process.returncode is not None:
            return True
        if not hasattr(os, "waitid"):  # macOS
            return self.process.poll() is not None
        # The leader must not be reaped before its group is killed: its number could be given to another.
        try:
            ended = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:  # somebody else has reaped it
            ended = True
        if ended:
            self.signal(signal.SIGKILL)
            self.process.wait()
        return ended

    def ends_within(self, seconds: float) -> bool:
        """Wait a little for a process that is about to end."""
        if self.pidfd is not None:
            select.select([self.pidfd], [], [], seconds)
        else:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds)
        return self.has_ended()

    def limit(self, serial: int) -> None:
        """Say which item is the first that it may not begin; one that has been laid to rest begins none."""
        if not self._released:
            self.page[LIMIT] = serial

    def release(self) -> None:
        """Give back the descriptors. Does not touch the process (after a fork it is not ours)."""
        self._released = True
        self.sock.close()
        self.page.release()
        self._map.close()
        for descriptor in (self._lifeline, self.pidfd):
            if descriptor is not None:
                os.close(descriptor)


def _shared_page() -> int:
    if hasattr(os, "memfd_create"):
        page = os.memfd_create("headwater")
    else:
        page, name = tempfile.mkstemp(prefix="headwater-")
        os.unlink(name)
    os.ftruncate(page, PAGE_SIZE)
    return page


def _pidfd(pid: int) -> int | None:
    """A descriptor that turns readable when the process ends, even while its children hold its socket open."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):  # not Linux, or an old one
        return None
