"""Processes that decode and condition: bounded work, results in order, and a crash costs one recording.

A crash of a decoder (or the kernel, where memory ran out) ends a process. What it was at is tried once more, alone,
in a new one; if that ends too, the answer is `Crashed`, and the work goes on."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe, wait
from typing import Any

from kathrine.errors import KathrineError

START_AT = 64
"""Recordings from which processes are begun where `prepare.workers` is 0: below that, starting them takes longer."""
MOST = 8
"""Processes at most where `prepare.workers` is 0. One decodes and conditions more than 50 x real time."""
STARTS = 3
"""Processes in a row that end before they are ready: then something is wrong with this machine."""
THREADS = min(4, os.cpu_count() or 1)
ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")

KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(32 * 2**20), "MALLOC_TRIM_THRESHOLD_": str(64 * 2**20)}
"""For glibc: a worker keeps what one recording took for the next. Handing it back each time costs a third of the time
of short recordings, in page faults."""


@dataclass(frozen=True, slots=True)
class Crashed:
    """The answer to a job that ended two processes. detail: how the second one ended."""

    detail: str


@dataclass(slots=True, eq=False)
class _Job:
    content: bytes
    future: Future[Any]
    alone: bool = False


@dataclass(slots=True, eq=False)
class _Worker:
    process: subprocess.Popen[bytes]
    connection: Connection
    ready: bool = False
    job: _Job | None = None

    def end(self) -> int:
        """End it now; its exit status."""
        self.process.kill()
        status = self.process.wait()
        self.connection.close()
        if self.process.stdin is not None:
            self.process.stdin.close()
        return status


def cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def begin_worker() -> _Worker:
    """A new process: one thread for every library, the same import path, its own process group (Ctrl-C reaches the
    main process alone, which ends them all)."""
    ours, theirs = Pipe()
    environment = os.environ | KEEP_MEMORY | dict.fromkeys(ONE_THREAD, "1")
    environment["PYTHONPATH"] = os.pathsep.join(path or os.getcwd() for path in sys.path)  # noqa: PTH109
    process = subprocess.Popen(
        [sys.executable, "-m", "kathrine.corpus.worker", str(theirs.fileno())],
        stdin=subprocess.PIPE,
        stdout=2,
        env=environment,
        pass_fds=[theirs.fileno()],
        process_group=0,
    )
    theirs.close()
    return _Worker(process, ours)


class Workers:
    """Runs functions of modules in processes, or in threads while there is little to do. A context manager.

    Args:
        count: processes; 0 takes as many as there are cores (MOST at most), and begins them only when START_AT jobs
        are expected.
    """

    def __init__(self, count: int = 0) -> None:
        self.count = count or min(cores(), MOST)
        self.parallel = count > 0
        self._threads: ThreadPoolExecutor | None = None
        self._dispatch: Dispatch | None = None

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *problem: object) -> None:
        """End all processes at once, whatever they are at."""
        if self._dispatch is not None:
            self._dispatch.close()
        if self._threads is not None:
            self._threads.shutdown(wait=True, cancel_futures=True)

    @property
    def threads(self) -> ThreadPoolExecutor:
        """Threads of this process, for what waits for disks more than it computes."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="prepare")
        return self._threads

    def expect(self, count: int) -> None:
        """Say how many jobs are coming: where they are many, processes take them from now on."""
        self.parallel = self.parallel or count >= START_AT

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Have a function of a module called; the future holds its result, or `Crashed`. Whoever submits bounds what
        is waiting."""
        if not self.parallel:
            return self.threads.submit(function, *arguments)
        if self._dispatch is None:
            self._dispatch = Dispatch(self.count)
        return self._dispatch.submit(pickle.dumps((function, arguments)))

    def map(self, function: Callable[..., Any], jobs: Sequence[tuple[Any, ...]]) -> Iterator[Any]:
        """Results in the order of the jobs, a few jobs ahead of whoever takes them."""
        self.expect(len(jobs))
        ahead: deque[Future[Any]] = deque()
        for arguments in jobs:
            ahead.append(self.submit(function, *arguments))
            if len(ahead) > 4 * self.count:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


@dataclass(eq=False)
class Dispatch:
    """Hands jobs to processes, one at a time to each, from a thread of its own."""

    count: int
    workers: list[_Worker] = field(default_factory=list)
    pending: deque[_Job] = field(default_factory=deque)
    suspects: deque[_Job] = field(default_factory=deque)
    failed_starts: int = 0
    closed: bool = False

    def __post_init__(self) -> None:
        self._wake_in, self._wake = Pipe(duplex=False)
        self._woken = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="prepare-dispatch", daemon=True)
        self._thread.start()

    def submit(self, content: bytes) -> Future[Any]:
        """Queue a pickled job."""
        job = _Job(content, Future())
        with self._lock:
            if self.closed:
                raise RuntimeError("the workers have ended")
            self.pending.append(job)
            self._call()
        return job.future

    def close(self) -> None:
        """End all processes; futures that have no result are cancelled."""
        with self._lock:
            self.closed = True
            self._call()
        self._thread.join()

    def _call(self) -> None:
        """Wake the thread; once is enough until it has looked, so that the pipe never fills."""
        if not self._woken:
            self._woken = True
            self._wake.send_bytes(b"")

    def _run(self) -> None:
        try:
            while not self.closed:
                self._hand_out()
                for ready in wait([self._wake_in, *(worker.connection for worker in self.workers)]):
                    if ready is self._wake_in:
                        with self._lock:
                            self._wake_in.recv_bytes()
                            self._woken = False
                    else:
                        self._hear(next(worker for worker in self.workers if worker.connection is ready))
        except BaseException as error:  # noqa: BLE001  whoever waits for a result gets it
            self._fail(error)
        finally:
            with self._lock:
                self.closed = True
                left = [*self.pending, *self.suspects, *(worker.job for worker in self.workers if worker.job)]
            for worker in self.workers:
                worker.end()
            for job in left:
                job.future.cancel()

    def _fail(self, error: BaseException) -> None:
        for job in [*self.pending, *self.suspects, *(worker.job for worker in self.workers if worker.job)]:
            job.future.set_exception(error)
        self.pending.clear()
        self.suspects.clear()
        for worker in self.workers:
            worker.job = None

    def _next(self, busy: list[_Worker]) -> _Job | None:
        """What may be begun now. A suspect runs alone: it may have ended its process by taking all the memory."""
        if self.suspects or any(worker.job is not None and worker.job.alone for worker in busy):
            return self.suspects.popleft() if self.suspects and not busy else None
        with self._lock:
            return self.pending.popleft() if self.pending else None

    def _hand_out(self) -> None:
        wanted = min(self.count, len(self.pending) + len(self.suspects) + sum(w.job is not None for w in self.workers))
        while len(self.workers) < wanted:
            self.workers.append(begin_worker())
        for worker in self.workers:
            if worker.ready and worker.job is None:
                job = self._next([other for other in self.workers if other.job is not None])
                if job is None:
                    return
                worker.job = job
                # Where it has just ended, the connection says so to `_hear`.
                with suppress(OSError):
                    worker.connection.send_bytes(job.content)

    def _hear(self, worker: _Worker) -> None:
        try:
            answer = worker.connection.recv()
        except (EOFError, OSError):
            self._ended(worker)
            return
        if not worker.ready:
            worker.ready, self.failed_starts = True, 0
            return
        job, worker.job = worker.job, None
        assert job is not None
        good, result = answer
        if good:
            job.future.set_result(result)
        else:
            job.future.set_exception(RuntimeError(f"a worker process failed:\n{result}"))

    def _ended(self, worker: _Worker) -> None:
        self.workers.remove(worker)
        job = worker.job
        told = how_it_ended(worker.process.wait())
        worker.end()
        if job is not None and job.alone:
            job.future.set_result(Crashed(told))
        elif job is not None:
            job.alone = True
            self.suspects.append(job)
        elif not worker.ready:
            self.failed_starts += 1
            if self.failed_starts >= STARTS:
                raise KathrineError(
                    f"worker processes of prepare end before they begin ({told})",
                    "look at the lines above; set prepare.workers = 1 where memory is short",
                )


def how_it_ended(status: int) -> str:
    """An exit status as a sentence."""
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"ended by signal {-status}"
