"""The workers of a pool: hired when they are needed, watched, dismissed, reaped."""

from __future__ import annotations

import logging
import os
import selectors
import signal
import time
from collections.abc import Sequence

from headwater.backends.pool.crew import Member
from headwater.backends.pool.process import Surroundings
from headwater.errors import WorkerDied
from headwater.runtime.exits import describe_exit

GRACE_SECONDS = 1.0
CLOSE_SECONDS = 3.0
LOOK_SECONDS = 0.2

_log = logging.getLogger("headwater")


class Staff:
    """At most `size` workers, and those that are on their way out."""

    def __init__(self, size: int, surroundings: Surroundings) -> None:
        self.size = size
        self.surroundings = surroundings
        self.selector = selectors.DefaultSelector()
        self.members: list[Member] = []
        self._leaving: list[tuple[Member, float]] = []
        self._without_pidfd = not hasattr(os, "pidfd_open")

    def adopt(self, surroundings: Surroundings) -> None:
        """From here on jobs begin in these surroundings."""
        if surroundings != self.surroundings:
            self.surroundings = surroundings

    @property
    def has_room(self) -> bool:
        """Whether a worker is free, or one more may be hired."""
        return len(self.members) < self.size or any(member.job is None for member in self.members)

    def free(self, known: int) -> Member | None:
        """A free worker, one that has the object `known` if there is; a new one when there may be more."""
        chosen: Member | None = None
        for member in list(self.members):
            if member.job is None:
                if member.process.told.path != self.surroundings.path:
                    self.dismiss(member)  # it would find other modules than we do
                elif chosen is None or member.knows(known) > chosen.knows(known):
                    chosen = member
        if chosen is None and len(self.members) < self.size:
            chosen = self._hire()
        return chosen

    def _hire(self) -> Member | None:
        try:
            member = Member(self.surroundings)
        except OSError as error:
            if not self.members:
                raise WorkerDied(
                    f"no worker process can be started: {error}", fix="Free memory, or allow more processes."
                ) from error
            _log.warning("no further worker process can be started: %s", error)
            self.size = len(self.members)
            return None
        self.members.append(member)
        self.selector.register(member.process.sock, selectors.EVENT_READ, member)
        if member.process.pidfd is None:
            self._without_pidfd = True
        else:
            self.selector.register(member.process.pidfd, selectors.EVENT_READ, member)
        member.process.post(self.surroundings.frame())
        self.watch(member)
        return member

    def watch(self, member: Member) -> None:
        """Have the selector tell when a socket that was full takes more."""
        wants = member.process.wants_to_send
        if wants != member.writing:
            member.writing = wants
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if wants else 0)
            self.selector.modify(member.process.sock, events, member)

    # ------------------------------------------------------------ leaving

    def dismiss(self, member: Member) -> None:
        """Have a worker end: an idle one when it likes, one at work by SIGTERM; SIGKILL after a second."""
        busy = member.process.doing != 0
        self._remove(member)
        member.process.hang_up()
        if busy:
            member.process.signal(signal.SIGTERM)
        self._leaving.append((member, time.monotonic() + GRACE_SECONDS))

    def _remove(self, member: Member) -> None:
        self.members.remove(member)
        self.selector.unregister(member.process.sock)

    def reap(self) -> None:
        """Look after those that are on their way out."""
        now = time.monotonic()
        for entry in list(self._leaving):
            member, kill_at = entry
            if member.process.has_ended():
                self._leaving.remove(entry)
                self._release(member)
            elif now >= kill_at:
                member.process.signal(signal.SIGKILL)
                self._leaving.remove(entry)
                self._leaving.append((member, now + GRACE_SECONDS))

    def lay_to_rest(self, member: Member) -> str:
        """Reap a worker that has ended, or end one that has closed its socket; how it ended."""
        self._remove(member)
        process = member.process
        ended = process.has_ended() or process.ends_within(GRACE_SECONDS)
        if not ended:
            process.signal(signal.SIGKILL)
            process.process.wait()
        message = describe_exit(process.process.returncode if ended else None)
        self._release(member)
        return message

    def _release(self, member: Member) -> None:
        if member.process.pidfd is not None:
            self.selector.unregister(member.process.pidfd)
        member.process.release()

    # ------------------------------------------------------------ waiting

    def due(self) -> list[float]:
        """In how many seconds something has to be looked at."""
        now = time.monotonic()
        due = [kill_at - now for _, kill_at in self._leaving]
        if self._without_pidfd and (self.members or self._leaving):
            due.append(LOOK_SECONDS)
        return due

    def found_dead(self) -> Sequence[Member]:
        """Where the selector cannot tell: the workers that have ended."""
        if not self._without_pidfd:
            return ()
        return [member for member in self.members if member.process.has_ended()]

    def close(self) -> None:
        """End them all, within `CLOSE_SECONDS` and a little."""
        for member in list(self.members):
            self.dismiss(member)
        until = time.monotonic() + CLOSE_SECONDS
        while self._leaving and time.monotonic() < until:
            self.selector.select(max(0.0, min([*self.due(), 0.1 if not self._without_pidfd else 0.01])))
            self.reap()
        for member, _ in self._leaving:
            member.process.signal(signal.SIGKILL)
            member.process.process.wait()
            self._release(member)
        self._leaving.clear()
        self.selector.close()

    def abandon(self) -> list[Member]:
        """Give up the descriptors only; the workers that there were."""
        everyone = [*self.members, *(member for member, _ in self._leaving)]
        self.members.clear()
        self._leaving.clear()
        self.selector.close()
        for member in everyone:
            member.process.release()
        return everyone
