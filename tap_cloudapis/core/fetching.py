"""A bounded pool of threads that only do HTTP; the main thread takes results in order.

The threads are daemons and are never joined: a request that hangs must not hold up the exit
of the process for a whole request timeout, which ``ThreadPoolExecutor`` would do.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import contextmanager
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")
Work = tuple["Future[Any]", "Callable[[], Any]"]

#: How often, in seconds, a wait looks whether a signal has arrived.
POLL_INTERVAL = 0.1
#: How many threads to begin with, and how long, in seconds, the main thread waits before it starts
#: more: where answers come faster than they can be used, more threads only slow each other down.
FIRST_WORKERS = 2
STARVED_AFTER = 0.02


class FetchPool:
    """Runs fetches in at most ``workers`` threads, started when the main thread has to wait.

    Args:
        workers: The most requests in flight at once.
        name: Names the threads, for a debugger.
        before_wait: Called in the main thread before it blocks on an unfinished fetch, and
            then every tenth of a second; may raise to end the wait.
    """

    def __init__(self, workers: int, name: str, before_wait: Callable[[], None]) -> None:
        self.workers = workers
        self._name = name
        self._before_wait = before_wait
        self._queue: SimpleQueue[Work | None] = SimpleQueue()
        self._started = 0
        self._unfinished = 0
        self._lock = threading.Lock()
        #: Called in the main thread while it waits: each asks for what has become known.
        self._meanwhile: list[Callable[[], None]] = []
        self._is_asking_on = False

    @contextmanager
    def asking_on(self, ask_on: Callable[[], None]) -> Iterator[None]:
        """Call a function whenever the main thread waits for a fetch; it must not wait itself."""
        self._meanwhile.append(ask_on)
        try:
            yield
        finally:
            self._meanwhile.remove(ask_on)

    @property
    def ahead(self) -> int:
        """How many fetches to keep submitted so that no worker is ever idle."""
        return 2 * self.workers

    def submit(self, fetch: Callable[[], T]) -> Future[T]:
        """Queue a fetch.

        Args:
            fetch: Called once in a worker thread, unless the future is cancelled before.

        Returns:
            The future of its result; take it with :meth:`result`.
        """
        future: Future[T] = Future()
        with self._lock:
            self._unfinished += 1
        self._start_workers(FIRST_WORKERS)
        self._queue.put((future, fetch))
        return future

    def _start_workers(self, most: int) -> None:
        """Have a thread for each unfinished fetch, up to a number."""
        with self._lock:
            while self._started < min(most, self.workers, self._unfinished):
                self._started += 1
                threading.Thread(
                    target=self._work, name=f"{self._name}-{self._started}", daemon=True
                ).start()

    def result(self, future: Future[T]) -> T:
        """Wait for a fetch in the main thread, staying responsive to signals.

        Args:
            future: What :meth:`submit` returned.

        Returns:
            The result of the fetch; its exception is raised here.
        """
        patience = STARVED_AFTER
        while not future.done():
            self._before_wait()
            self._ask_on()
            try:
                return future.result(timeout=patience)
            except FutureTimeoutError:
                if future.done():
                    break
            patience = STARVED_AFTER if self._meanwhile else POLL_INTERVAL
            self._start_workers(self.workers)
        return future.result()

    def _ask_on(self) -> None:
        if self._is_asking_on:
            return
        self._is_asking_on = True
        try:
            for ask_on in self._meanwhile:
                ask_on()
        finally:
            self._is_asking_on = False

    def close(self) -> None:
        """Let idle threads end; fetches still queued are dropped."""
        for _ in range(self._started):
            self._queue.put(None)

    def _work(self) -> None:
        while (work := self._queue.get()) is not None:
            future, fetch = work
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(fetch())
                except BaseException as exc:  # noqa: BLE001 - handed to whoever takes the result
                    future.set_exception(exc)
            with self._lock:
                self._unfinished -= 1
