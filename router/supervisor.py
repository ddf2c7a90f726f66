"""How do the service's processes start, stay, and end together?

The supervisor holds the listening sockets, one for each worker's place. A worker that dies leaves its socket
behind, and with it the connections that had not been accepted: its successor takes them over.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Callable

import msgspec

from router import processes
from router.control.exposure import check_exposure
from router.errors import TurnoutError
from router.hosting import DRAIN_SECONDS
from router.last_state import load as load_last_state
from router.logs import LogFormat, written
from router.options import ControlOptions, ServeOptions, WorkerOptions
from router.processes import Child
from router.settings import Settings
from router.store.embedded import EmbeddedRedis

WATCH_SECONDS = 0.05
START_SECONDS = 60.0
WITHOUT_REDIS_SECONDS = 5.0
# A process that dies at once is not started again at once, or a broken one would fill the log.
QUICK_DEATH_SECONDS = 1.0
BACK_OFF_SECONDS = 1.0


class Place:
    """One process that must always be there: it is started again whenever it ends."""

    def __init__(self, name: str, launch: Callable[[], Child]) -> None:
        self.name = name
        self.child: Child | None = None
        self.ready = False
        self._launch = launch
        self._started = 0.0
        self._not_before = 0.0

    def start(self) -> None:
        """Start the process."""
        self.child = self._launch()
        self.ready = False
        self._started = time.monotonic()

    def watch(self) -> None:
        """Notice that it is ready, or that it ended, and then start it again."""
        child = self.child
        if child is None:
            if time.monotonic() >= self._not_before:
                self._start_again()
            return
        if not self.ready and _said_ready(child.ready_fd):
            self.ready = True
        status = child.process.poll()
        if status is None:
            return
        child.close()
        self.child = None
        now = time.monotonic()
        quick = now - self._started < QUICK_DEATH_SECONDS
        self._not_before = now + BACK_OFF_SECONDS if quick else now
        say(f"{self.name} ended with status {status}; starting it again")
        self.watch()

    def _start_again(self) -> None:
        try:
            self.start()
        except OSError as error:
            # Too little memory or too many processes, now: the other places must not end for that.
            self._not_before = time.monotonic() + BACK_OFF_SECONDS
            say(f"{self.name} could not be started again: {error}; trying again")

    def signal(self, number: int) -> None:
        """Send a signal, if there is a process."""
        if self.child is not None and self.child.process.poll() is None:
            self.child.process.send_signal(number)

    @property
    def running(self) -> bool:
        """Whether there is a process."""
        return self.child is not None and self.child.process.poll() is None


def _said_ready(fd: int) -> bool:
    try:
        return os.read(fd, 1) == b"1"
    except BlockingIOError:
        return False


class Voice:
    """How the supervisor speaks: set once, when it starts."""

    form: LogFormat = "text"


voice = Voice()


def say(text: str) -> None:
    """One line to the operator."""
    print(written(text, voice.form), file=sys.stderr, flush=True)


def serve(settings: Settings, options: ServeOptions) -> int:
    """Run the service until SIGTERM or SIGINT; the exit status.

    ``settings`` are the checked contents of ``options.config_path``. `TurnoutError` where it cannot start.
    """
    voice.form = options.log_format
    options.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.ExitStack() as held:
        # A shared port could be bound beside a stranger's: bind it alone first, to learn that it is free.
        port = options.port
        if port:
            _listen(options.host, port, shared=False).close()
        first = _listen(options.host, port, shared=True)
        listeners = [held.enter_context(first)]
        port = first.getsockname()[1]
        for _ in range(options.workers - 1):
            listeners.append(held.enter_context(_listen(options.host, port, shared=True)))
        embedded = None
        if options.redis_url is None:
            embedded = EmbeddedRedis(options.data_dir / "redis")
            embedded.start()
            held.callback(embedded.stop)
        redis_url = embedded.url if embedded is not None else str(options.redis_url)
        check_exposure(options.control_host, redis_url, options.data_dir)
        control = held.enter_context(_listen(options.control_host, options.control_port, shared=False))
        return asyncio.run(_Supervisor(options, control, listeners, embedded).run())


class _Supervisor:
    def __init__(
        self,
        options: ServeOptions,
        control: socket.socket,
        listeners: list[socket.socket],
        embedded: EmbeddedRedis | None,
    ) -> None:
        self._options = options
        self._embedded = embedded
        self._control_socket = control
        self._listeners = listeners
        self._stop = asyncio.Event()
        redis_url = embedded.url if embedded is not None else options.redis_url
        assert redis_url is not None
        data_dir = str(options.data_dir.resolve())
        control_options = ControlOptions(
            socket_fd=control.fileno(),
            redis_url=redis_url,
            data_dir=data_dir,
            config_path=str(options.config_path.resolve()),
            key=options.key,
            log_format=options.log_format,
        )
        self._control = Place("the control process", _launcher("control", control_options, control.fileno()))
        self._workers = [
            Place(
                f"worker {number}",
                _launcher(
                    "data",
                    WorkerOptions(
                        socket_fd=listener.fileno(),
                        redis_url=redis_url,
                        data_dir=data_dir,
                        log_format=options.log_format,
                        access_log=options.access_log,
                    ),
                    listener.fileno(),
                ),
            )
            for number, listener in enumerate(listeners, 1)
        ]

    async def run(self) -> int:
        """Start in order, watch, and end in the opposite order."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop.set)
        try:
            self._control.start()
            await self._until_ready([self._control], self._patience())
            for worker in self._workers:
                worker.start()
            await self._until_ready(self._workers, START_SECONDS)
            if not self._stop.is_set():
                self._announce()
            while not self._stop.is_set():
                await self._pause()
                self._watch()
        finally:
            await self._end()
        return 0

    def _patience(self) -> float:
        """How long the control plane is waited for: with a last snapshot, workers can start before it."""
        last = load_last_state(self._options.data_dir)
        return START_SECONDS if last is None else WITHOUT_REDIS_SECONDS

    async def _until_ready(self, places: list[Place], patience: float) -> None:
        deadline = time.monotonic() + patience
        while not all(place.ready for place in places) and not self._stop.is_set():
            await self._pause()
            for place in places:
                child = place.child
                if child is not None and child.process.poll() not in (None, 0):
                    raise TurnoutError(f"{place.name} could not start; what it said is above")
                place.watch()
            if time.monotonic() > deadline:
                if load_last_state(self._options.data_dir) is not None and places == [self._control]:
                    say("the control plane waits for Redis; the workers start from the last snapshot")
                    return
                late = ", ".join(place.name for place in places if not place.ready)
                raise TurnoutError(f"not ready within {patience:g} s: {late}; is Redis reachable?")

    def _announce(self) -> None:
        data = "{}:{}".format(*_shown(self._listeners[0]))
        control = "{}:{}".format(*_shown(self._control_socket))
        say(f"ready: data http://{data} control http://{control} workers {len(self._workers)}")

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WATCH_SECONDS):
                await self._stop.wait()

    def _watch(self) -> None:
        for place in (*self._workers, self._control):
            place.watch()
        if self._embedded is not None and self._embedded.poll() is not None:
            say("the embedded Redis ended; starting it again")
            try:
                self._embedded.start()
            except TurnoutError as error:
                say(str(error))

    async def _end(self) -> None:
        # Our own copies first: only then is a socket that a worker closes closed for the clients, too.
        for listener in self._listeners:
            listener.close()
        await _stop_all(self._workers, DRAIN_SECONDS + 10)
        self._control_socket.close()
        await _stop_all([self._control], 10)


async def _stop_all(places: list[Place], patience: float) -> None:
    for place in places:
        place.signal(signal.SIGTERM)
    deadline = time.monotonic() + patience
    while any(place.running for place in places):
        await asyncio.sleep(WATCH_SECONDS)
        if time.monotonic() > deadline:
            for place in places:
                place.signal(signal.SIGKILL)
    for place in places:
        if place.child is not None:
            place.child.close()
            place.child = None


def _launcher(plane: str, options: msgspec.Struct, fd: int) -> Callable[[], Child]:
    written = msgspec.json.encode(options).decode()
    return lambda: processes.start(plane, f"router.{plane}", written, [fd])


def _listen(host: str, port: int, *, shared: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((host, port))
        listener.listen(4096)
    except OSError as error:
        listener.close()
        raise TurnoutError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    listener.setblocking(False)
    return listener


def _shown(listener: socket.socket) -> tuple[str, int]:
    host, port = listener.getsockname()[:2]
    return (f"[{host}]" if ":" in host else host, port)
