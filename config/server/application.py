"""The RSGI application: it receives requests, has threads answer them, and answers itself what needs none."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import structlog
from granian.rsgi import HTTPProtocol, Scope

from apps.core.bodies import QUESTION, BodyQuestion
from apps.core.network import client_ip_in, network_of
from apps.operations import health
from apps.tenants.traffic import Figures, recorder

from .answers import Answers, Application
from .bodies import Receiver
from .heads import check_head
from .limits import WAITING
from .messages import Answer, Environ, environ_of, send, with_body
from .refusals import BUSY, NOSNIFF, Refused
from .sockets import end_unread_connections
from .static import StaticFiles
from .threads import Threads

OPENED_SECONDS = 10.0  # after which Granian has long opened the file that it was told to send
JSON = ("content-type", "application/json")
ALIVE = Answer(200, [JSON, NOSNIFF], health.alive().content)
STUCK = Answer(503, [JSON, NOSNIFF, ("retry-after", "1")], b'{"status": "stuck"}')
NOT_ASKED = Answer(405, [("allow", ", ".join(health.METHODS)), NOSNIFF])
log = structlog.get_logger(__name__)


class Server:
    """Serves a WSGI application; ``folder`` is for what is too long for memory."""

    def __init__(self, application: Application, folder: Path) -> None:
        self._folder = folder
        self._static = StaticFiles()
        self._answers = Answers(application, folder)
        self._receiver = Receiver(folder)
        self._threads = Threads(self._answers.of)
        self._in_hand = 0

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._answers.clear_left_files()
        self._threads.start(loop)
        end_unread_connections(loop)

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._threads.stop()

    async def __rsgi__(self, scope: Scope, protocol: HTTPProtocol) -> None:
        try:
            check_head(scope)
            if scope.path == health.ALIVE_PATH:
                send(self._alive(scope.method), scope.method, protocol)
            elif scope.path in self._static:
                send(self._static.answer(environ_of(scope)), scope.method, protocol)
            else:
                await self._respond(environ_of(scope), scope, protocol)
        except Refused as refused:
            answer = refused.answer(scope.path)
            _note(scope, answer)
            self._reply(scope, protocol, answer)

    def _alive(self, method: str) -> Answer:
        if method not in health.METHODS:
            return NOT_ASKED
        return STUCK if self._threads.are_stuck else ALIVE

    async def _respond(self, environ: Environ, scope: Scope, protocol: HTTPProtocol) -> None:
        """Have Django answer what has come whole. Raises Refused."""
        if self._in_hand >= WAITING:
            raise Refused(BUSY)
        network = network_of(client_ip_in(environ))
        ask = partial(self._ask, environ, network, protocol)
        body = await self._receiver.receive(scope.headers, protocol, network, ask)
        self._in_hand += 1
        try:
            await self._threads.run(with_body(environ, body), network, protocol, partial(self._reply, scope, protocol))
        finally:
            self._in_hand -= 1
            self._receiver.release(body)

    async def _ask(self, environ: Environ, network: str, protocol: HTTPProtocol, announced: int | None) -> int:
        """How long a body this requester may send, as the application says. Raises Refused with its answer."""
        question = BodyQuestion(announced)
        answers: list[Answer] = []
        await self._threads.run({**with_body(environ, b""), QUESTION: question}, network, protocol, answers.append)
        if question.limit is None:
            raise Refused(answers[0])
        return question.limit

    def _reply(self, scope: Scope, protocol: HTTPProtocol, answer: Answer) -> None:
        send(answer, scope.method, protocol)
        if isinstance(answer.content, Path):
            remove = partial(answer.content.unlink, missing_ok=True)
            self._loop.call_soon_threadsafe(self._loop.call_later, OPENED_SECONDS, remove)


def _note(scope: Scope, answer: Answer) -> None:
    """Somebody who never got as far as Django is logged and counted as those who do."""
    log.info("request_refused", request=f"{scope.method} {scope.path}", code=answer.status)
    recorder.note(None, Figures(requests=1, refused=1))
