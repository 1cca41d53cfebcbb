"""The threads that run Django, and the requests that wait for one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Thread

import structlog
from django.conf import settings
from granian.rsgi import HTTPProtocol

from .limits import STOP_SECONDS, STUCK_SECONDS, WAIT_SECONDS
from .messages import Answer, Environ
from .refusals import BUSY, FAILED
from .turns import Turns

LOOK_SECONDS = 0.5
log = structlog.get_logger(__name__)


@dataclass(eq=False)
class Job:
    """A request that is here whole. ``deliver`` is called with its answer, as a rule in the thread that made it."""

    environ: Environ
    protocol: HTTPProtocol
    deliver: Callable[[Answer], None]
    over: asyncio.Future[None]
    since: float
    leaving: asyncio.Future[None] | None = None

    def end(self) -> None:
        if self.leaving is not None:
            self.leaving.cancel()
        if not self.over.done():
            self.over.set_result(None)


class Threads:
    """Run ``respond`` on one request each; whose client has gone, or has waited too long, is not begun any more."""

    def __init__(self, respond: Callable[[Environ], Answer]) -> None:
        self._respond = respond
        self._turns: Turns[Job] = Turns()
        self._waiting: dict[Job, bool] = {}
        self._begun: dict[Job, float] = {}
        names = [f"django-{number}" for number in range(settings.WEB_THREADS)]
        self._threads = [Thread(target=self._work, name=name, daemon=True) for name in names]

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        for thread in self._threads:
            thread.start()
        loop.call_later(LOOK_SECONDS, self._look)

    def stop(self) -> None:
        """Let what waits be done, then end; who still works after STOP_SECONDS is not waited for."""
        self._turns.close()
        deadline = time.monotonic() + STOP_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    @property
    def are_stuck(self) -> bool:
        """Whether one has been working on the same request for longer than any takes."""
        begun = min(self._begun.copy().values(), default=time.monotonic())
        return time.monotonic() - begun > STUCK_SECONDS

    async def run(
        self, environ: Environ, network: str, protocol: HTTPProtocol, deliver: Callable[[Answer], None]
    ) -> None:
        """Wait for the turn of the network, and until the request was answered; its client may still be reading."""
        job = Job(environ, protocol, deliver, self._loop.create_future(), self._loop.time())
        self._waiting[job] = True
        self._turns.put(network, job)
        await job.over

    def _work(self) -> None:
        while job := self._turns.get():
            if not self._take(job):
                continue
            self._begun[job] = time.monotonic()
            job.deliver(self._answer(job))
            del self._begun[job]
            self._loop.call_soon_threadsafe(job.end)

    def _answer(self, job: Job) -> Answer:
        try:
            return self._respond(job.environ)
        except BaseException:  # Django answers its own errors; a thread that ends, as by SystemExit, never comes back
            log.exception("request_failed", request=f"{job.environ['REQUEST_METHOD']} {job.environ['PATH_INFO']}")
            return FAILED.answer(job.environ["PATH_INFO"])

    def _take(self, job: Job) -> bool:
        """Whether the job was still waiting: it is either begun or given up, whichever asks first."""
        return self._waiting.pop(job, False)

    def _look(self) -> None:
        self._loop.call_later(LOOK_SECONDS, self._look)
        for job in list(self._waiting):
            if job.leaving is None:
                job.leaving = asyncio.ensure_future(job.protocol.client_disconnect())
            too_long = self._loop.time() - job.since > WAIT_SECONDS
            if (too_long or job.leaving.done()) and self._take(job):
                job.deliver(BUSY.answer(job.environ["PATH_INFO"]))
                job.end()
