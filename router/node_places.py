"""Which processes does a node have, and what is each of them told?"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from router import processes
from router.heartbeats import Heartbeats, make_shared
from router.options import ControlProcess, NodeOptions, ProbeProcess, WorkerProcess
from router.places import Place
from router.processes import Child
from router.voice import Voice


@dataclass(slots=True)
class Sockets:
    """What the node listens on: one socket for each worker, and one for each listener that it has."""

    data: list[socket.socket] = field(default_factory=list)
    control: socket.socket | None = None
    metrics: socket.socket | None = None


@dataclass(frozen=True, slots=True)
class NodePlaces:
    """The places of a node's processes, none of them started, and the workers' heartbeats."""

    control: Place | None
    probes: Place | None
    workers: list[Place]
    beats: Heartbeats


def places_of(
    options: NodeOptions, redis_url: str, sockets: Sockets, draining_fd: int, voice: Voice
) -> NodePlaces:
    """The places that the options ask for; ``draining_fd`` is for the process that answers probes."""
    number = len(sockets.data)
    # Memory of no length cannot be shared: a node without workers has a slot that nobody uses.
    beats_fd = make_shared(max(number, 1))
    beats = Heartbeats(beats_fd, max(number, 1))
    data_dir = str(options.data_dir.resolve())
    form = options.log_format

    control = probes = None
    if options.control is not None and sockets.control is not None:
        path = options.control.config_path
        told = ControlProcess(
            socket_fd=sockets.control.fileno(),
            redis_url=redis_url,
            data_dir=data_dir,
            workers=options.proxy is not None,
            config_path=None if path is None else str(path.resolve()),
            key=options.control.key,
            log_format=form,
        )
        control = Place("the control process", _launcher("control", told, told.socket_fd), voice)
    if sockets.metrics is not None:
        asked = ProbeProcess(
            socket_fd=sockets.metrics.fileno(),
            redis_url=redis_url,
            data_dir=data_dir,
            beats_fd=beats_fd,
            places=number,
            draining_fd=draining_fd,
            log_format=form,
        )
        launch = _launcher("node", asked, asked.socket_fd, beats_fd, draining_fd)
        probes = Place("the probes' process", launch, voice)
    workers = []
    for place, listener in enumerate(sockets.data):
        worker = WorkerProcess(
            socket_fd=listener.fileno(),
            redis_url=redis_url,
            data_dir=data_dir,
            beats_fd=beats_fd,
            place=place,
            places=number,
            log_format=form,
            access_log=options.proxy is not None and options.proxy.access_log,
        )
        launch = _clearing(beats, place, _launcher("data", worker, worker.socket_fd, beats_fd))
        workers.append(Place(f"worker {place + 1}", launch, voice))
    return NodePlaces(control, probes, workers, beats)


def _launcher(module: str, told: msgspec.Struct, *descriptors: int) -> Callable[[], Child]:
    written = msgspec.json.encode(told)
    return lambda: processes.start(module, f"router.{module}", written, descriptors)


def _clearing(beats: Heartbeats, place: int, launch: Callable[[], Child]) -> Callable[[], Child]:
    """A launch after which the place is nobody's until the new worker says otherwise."""

    def start() -> Child:
        beats.clear(place)
        return launch()

    return start
