"""A demo model server on a real socket, in this process."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable

import pytest
import uvicorn
from starlette.applications import Starlette

from models.demo.classifier import Classifier, train

Serve = Callable[[Starlette], contextlib.AbstractAsyncContextManager[str]]


@pytest.fixture(scope="session")
def strong() -> Classifier:
    return train("strong")


@pytest.fixture(scope="session")
def weak() -> Classifier:
    return train("weak")


@pytest.fixture
def serve() -> Serve:
    """``async with serve(app) as url``: the application on a free port."""

    @contextlib.asynccontextmanager
    async def context(app: Starlette) -> AsyncIterator[str]:
        started = asyncio.Event()

        class Server(uvicorn.Server):
            async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                await super().startup(sockets=sockets)
                started.set()

        server = Server(uvicorn.Config(app, port=0, log_level="warning", lifespan="off"))
        task = asyncio.create_task(server.serve())
        await started.wait()
        host, port = server.servers[0].sockets[0].getsockname()
        try:
            yield f"http://{host}:{port}"
        finally:
            server.should_exit = True
            await task

    return context
