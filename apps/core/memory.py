"""The in-memory store that requests ask: limits, revocations. It answers at once or not at all.

Several questions travel in one round trip (``ask_together``): each module that wants to know something makes a
``Question`` of its own commands, and reads its own replies.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, ClassVar, Generic, TypeVar

from django.conf import settings
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, ResponseError
from redis.retry import Retry

TIMEOUT_SECONDS = 0.2
REST_SECONDS = 1.0
RUN_ID = re.compile(rb"^run_id:(\w+)", re.MULTILINE)

T = TypeVar("T")
Command = tuple[Any, ...]

RUN: Command = ("RUN",)  # answered with the run of the server that answers; known of each connection, so never sent


class MemoryAway(Exception):
    """The store did not answer, or has not for a moment; nobody waits for it again until REST_SECONDS are over."""


class _Breaker:
    def __init__(self) -> None:
        self._closed_until = 0.0
        self._lock = threading.Lock()

    def call(self, work: Callable[[], T], *, resting: bool = True) -> T:
        if resting and time.monotonic() < self._closed_until:
            raise MemoryAway
        try:
            return work()
        except RedisError as error:
            with self._lock:
                self._closed_until = time.monotonic() + REST_SECONDS
            raise MemoryAway(str(error)) from error

    def reset(self) -> None:
        self._closed_until = 0.0


breaker = _Breaker()


@lru_cache(maxsize=1)
def client() -> Redis:
    """The store that forgets nothing: not the cache, which may evict."""
    return Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
        max_connections=settings.REDIS_POOL_SIZE,
        redis_connect_func=_introduce,
    )


def _introduce(connection: Any) -> None:
    """Learn which run of the server is behind a new connection: a server that is started anew begins another.

    One that does not tell is taken for another one by each connection.
    """
    connection.on_connect()
    connection.send_command("INFO", "server")
    try:
        found = RUN_ID.search(connection.read_response())
    except ResponseError:
        found = None
    connection.run = found[1] if found else secrets.token_hex(20).encode()


def ask(work: Callable[[Redis], T]) -> T:
    """Let ``work`` talk to the store. Raises MemoryAway."""
    return breaker.call(lambda: work(client()))


class Script:
    """A Lua script, called by the digest that the store knows it by."""

    made: ClassVar[list[Script]] = []

    def __init__(self, source: str) -> None:
        self.source = source
        self.digest = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()  # the store's own choice
        self.made.append(self)

    def command(self, keys: Sequence[str], args: Sequence[Any]) -> Command:
        return ("EVALSHA", self.digest, len(keys), *keys, *args)


class Question(Generic[T]):
    """Something to ask of the store, and what the replies mean; ``answer`` is there once it was asked."""

    answer: T

    def __init__(self, commands: Sequence[Command], read: Callable[[list[Any]], T]) -> None:
        self.commands = commands
        self.read = read


def ask_together(*questions: Question[Any]) -> None:
    """Have all questions answered in one round trip. Raises MemoryAway."""
    _answer(questions, resting=True)


def insist(question: Question[T]) -> T:
    """The answer to a question that is worth a wait, even if the store has just not answered. Raises MemoryAway."""
    _answer([question], resting=False)
    return question.answer


def run(script: Script, keys: Sequence[str], args: Sequence[Any]) -> Any:
    """Run a script in one round trip. Raises MemoryAway."""
    return breaker.call(lambda: _exchange([script.command(keys, args)]))[0]


def _answer(questions: Sequence[Question[Any]], *, resting: bool) -> None:
    commands = [command for question in questions for command in question.commands]
    replies = iter(breaker.call(lambda: _exchange(commands), resting=resting))
    for question in questions:
        question.answer = question.read([next(replies) for _ in question.commands])


def _exchange(commands: Sequence[Command]) -> list[Any]:
    """The replies, in order; a store that has lost the scripts, as by a restart, is given them again."""
    replies = _send(commands)
    if any(isinstance(reply, NoScriptError) for reply in replies):
        for script in Script.made:
            client().script_load(script.source)
        replies = _send(commands)
    for reply in replies:
        if isinstance(reply, RedisError):
            raise reply
    return replies


def _send(commands: Sequence[Command]) -> list[Any]:
    """Straight through a connection of the pool: a pipeline costs twice as much, and gives nothing more."""
    redis = client()
    connection: Any = redis.connection_pool.get_connection()
    try:
        connection.send_packed_command(connection.pack_commands([one for one in commands if one is not RUN]))
        return [_reply(redis, connection, command) for command in commands]
    except BaseException:
        connection.disconnect()  # what is left unread would be taken for replies to the next question
        raise
    finally:
        redis.connection_pool.release(connection)


def _reply(redis: Redis, connection: Any, command: Command) -> Any:
    if command is RUN:
        return connection.run
    try:
        return redis.parse_response(connection, command[0])  # type: ignore[no-untyped-call]
    except ResponseError as error:
        return error
