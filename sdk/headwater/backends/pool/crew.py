"""One worker of a pool together with what it has been given to do."""

from __future__ import annotations

from collections import deque

from headwater.backends.pool.jobs import CallJob, Chunk, ItemsJob, Job, Shared
from headwater.backends.pool.process import Surroundings, WorkerProcess
from headwater.backends.pool.protocol import LIMIT, NO_LIMIT, Kind, Place, frame


class Member:
    """A worker process, the job it is at, and the chunks of that job that it has."""

    def __init__(self, surroundings: Surroundings) -> None:
        self.process = WorkerProcess(surroundings)
        self.job: Job | None = None
        self.chunks: deque[Chunk] = deque()
        self.steal_at: float | None = None
        self.is_limited = False
        self.writing = False
        self._known: set[int] = set()
        self._serial = 1

    # ------------------------------------------------------------ giving

    def knows(self, number: int) -> bool:
        """Whether this shared object has been sent to this worker."""
        return number in self._known

    def tell(self, surroundings: Surroundings, shared: Shared) -> None:
        """Send what has to be there before a job: the parent's surroundings, the object to call."""
        process = self.process
        if process.told != surroundings:
            process.post(surroundings.frame())
            process.told = surroundings
        if shared.number not in self._known:
            self._known.add(shared.number)
            payload = Place(shared.number).packed([shared.pickled])
            process.post(frame(Kind.SHARE, payload, shared.buffers))

    def forget(self, number: int) -> None:
        """Let the worker drop an object."""
        if number in self._known:
            self._known.discard(number)
            self.process.post(frame(Kind.FORGET, Place(number).packed([])))

    def give_call(self, job: CallJob) -> None:
        """Hand a call over."""
        self.job = job
        payload = Place(job.shared.number, self._new_chunk(0, 1)).packed([job.pickled])
        self.process.post(frame(Kind.CALL, payload, job.buffers))

    def give_items(
        self, job: ItemsJob, start: int, stop: int, pickled: bytes, buffers: list[memoryview]
    ) -> None:
        """Hand a chunk of items over."""
        if self.job is not job:
            self.job = job
            job.workers += 1
        count = stop - start
        job.outstanding += count
        payload = Place(job.shared.number, self._new_chunk(start, stop), start, count).packed([pickled])
        self.process.post(frame(Kind.ITEMS, payload, buffers))

    def _new_chunk(self, start: int, stop: int) -> int:
        serial = self._serial
        self._serial += stop - start
        self.chunks.append(Chunk(serial, start, stop, start))
        return serial

    # ------------------------------------------------------------ taking back

    def drop_chunk(self) -> None:
        """The first chunk is dealt with."""
        self.chunks.popleft()
        if not self.chunks:
            self.be_free()

    def be_free(self) -> None:
        """Nothing is left to do."""
        if isinstance(self.job, ItemsJob):
            self.job.workers -= 1
        self.job = None
        self.chunks.clear()
        self.steal_at = None
        if self.is_limited:
            self.is_limited = False
            self.process.limit(NO_LIMIT)

    def advance(self, stop: int) -> None:
        """The fate of the items of the first chunk before `stop` is known."""
        job, chunk = self.job, self.chunks[0]
        assert isinstance(job, ItemsJob)
        job.outstanding -= stop - chunk.next
        chunk.next = stop
        if chunk.next >= chunk.stop and not chunk.cut:
            self.drop_chunk()

    def give_back(self, chunk: Chunk, start: int) -> None:
        """Return a chunk's items from `start` on to the job."""
        job = self.job
        assert isinstance(job, ItemsJob)
        if start < chunk.stop:
            job.outstanding -= chunk.stop - start
            if not job.over:
                job.give_back(start, chunk.stop)
            chunk.stop = start

    @property
    def ahead(self) -> int:
        """How many items it has beyond the one that it is at; 0 while that cannot be told."""
        doing = self.process.doing
        if doing <= 0 or not self.chunks:
            return 0
        last = self.chunks[-1]
        return last.serial + last.stop - last.start - 1 - doing

    def hold(self) -> None:
        """Tell it to begin nothing beyond the item that it is at."""
        self.is_limited = True
        self.process.limit(self.process.doing + 1)

    def take_unbegun(self) -> bool:
        """Take back what `hold` has kept it from beginning; false when it is between two items just now."""
        doing = self.process.doing
        if doing <= 0:
            return False
        boundary = max(self.process.page[LIMIT], doing + 1)
        for chunk in reversed(self.chunks):
            start = chunk.index_of(max(boundary, chunk.serial))
            if start < chunk.stop:
                chunk.cut = True
                self.give_back(chunk, start)
        return True
