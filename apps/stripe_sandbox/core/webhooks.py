"""Delivers events to webhook endpoints: signed, at least once, again and again until it is taken."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import logging
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from apps.stripe_sandbox.core.presenting import present
from apps.stripe_sandbox.core.session import Session
from apps.stripe_sandbox.core.store import Store

BACK_OFF = (1, 5, 30, 120, 600, 3_600, 3 * 3_600, 6 * 3_600, 12 * 3_600, 24 * 3_600, 24 * 3_600)
"""Seconds between attempts: close together at first, since a person is waiting, then as long as Stripe goes on, three
days."""
TIMEOUT = 20
log = logging.getLogger("stripe_sandbox")


@dataclass(frozen=True)
class Attempt:
    delivery: int
    event: str
    url: str
    secret: str
    body: bytes
    fault: str | None


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """The header `Stripe-Signature`."""
    digest = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={digest}"


class Postman(threading.Thread):
    """Takes what is due from the table of deliveries; whatever a kill leaves there is delivered after the next
    start."""

    def __init__(self, store: Store, workers: int = 8) -> None:
        super().__init__(name="postman", daemon=True)
        self.store = store
        self.wake = threading.Event()
        self.stopping = False
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="delivery")
        self._under_way: set[int] = set()
        self._room = threading.Semaphore(workers)

    def run(self) -> None:
        while not self.stopping:
            try:
                busy = self.send_due()
            except Exception:
                log.exception("The postman stumbled")
                busy = False
            if not busy:
                self.wake.wait(timeout=0.5)
                self.wake.clear()

    def send_due(self) -> bool:
        """Start what is due; whether there was anything."""
        with self.store.transaction() as session:
            attempts = self._due(session)
        for attempt in attempts:
            self._room.acquire()
            self._pool.submit(self._deliver, attempt)
        return bool(attempts)

    def _due(self, session: Session) -> list[Attempt]:
        rows = session.connection.execute(
            "SELECT seq, event, endpoint FROM deliveries WHERE due <= ? ORDER BY due, seq LIMIT 64", (session.time,)
        ).fetchall()
        rows = [row for row in rows if row[0] not in self._under_way][:16]
        fault = session.setting("webhook fault") or {}
        if fault.get("kind") == "reorder":
            random.shuffle(rows)
        attempts = []
        for number, event_id, endpoint_id in rows:
            endpoint, event = session.get(endpoint_id), session.get(event_id)
            if endpoint is None or event is None or endpoint.get("deleted") or endpoint["status"] != "enabled":
                session.connection.execute("UPDATE deliveries SET due = NULL WHERE seq = ?", (number,))
                continue
            kind = _take_fault(session, event["type"])
            if kind == "delay":
                session.connection.execute(
                    "UPDATE deliveries SET due = ? WHERE seq = ?", (session.time + int(fault.get("seconds", 2)), number)
                )
                continue
            self._under_way.add(number)
            body = json.dumps(present(session, event), indent=2).encode()
            attempts.append(Attempt(number, event_id, endpoint["url"], endpoint["_secret"], body, kind))
        return attempts

    def _deliver(self, attempt: Attempt) -> None:
        try:
            outcome = "dropped on request" if attempt.fault == "drop" else self._post(attempt)
            if attempt.fault == "duplicate":
                outcome = self._post(attempt)
            with self.store.transaction() as session:
                _note(session, attempt, outcome)
        except Exception:
            log.exception("A delivery could not be noted")
        finally:
            self._under_way.discard(attempt.delivery)
            self._room.release()

    def _post(self, attempt: Attempt) -> int | str:
        target = urlsplit(attempt.url)
        kind = http.client.HTTPSConnection if target.scheme == "https" else http.client.HTTPConnection
        connection = kind(target.hostname or "", target.port, timeout=TIMEOUT)
        path = (target.path or "/") + (f"?{target.query}" if target.query else "")
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            "Stripe-Signature": signature(attempt.secret, int(time.time()), attempt.body),
        }
        try:
            connection.request("POST", path, attempt.body, headers)
            response = connection.getresponse()
            response.read()
            return response.status
        except (OSError, http.client.HTTPException) as error:
            return f"{type(error).__name__}: {error}"
        finally:
            connection.close()

    def stop(self) -> None:
        self.stopping = True
        self.wake.set()
        if self.is_alive():
            self.join(timeout=5)
        self._pool.shutdown(wait=True)


def _take_fault(session: Session, type_: str) -> str | None:
    """The fault that is asked for, if any is left for an event of this type."""
    fault: dict[str, Any] | None = session.setting("webhook fault")
    if not fault or fault["count"] <= 0 or (fault.get("types") and type_ not in fault["types"]):
        return None
    session.set_setting("webhook fault", {**fault, "count": fault["count"] - 1})
    return str(fault["kind"])


def _note(session: Session, attempt: Attempt, outcome: int | str) -> None:
    row = session.connection.execute(
        "SELECT attempts, log, endpoint FROM deliveries WHERE seq = ?", (attempt.delivery,)
    ).fetchone()
    if row is None:
        return
    attempts, entries = row[0] + 1, json.loads(row[1])
    entries.append({"at": session.time, "outcome": outcome})
    delivered = isinstance(outcome, int) and 200 <= outcome < 300
    due = None if delivered or attempts > len(BACK_OFF) else session.time + BACK_OFF[attempts - 1]
    session.connection.execute(
        "UPDATE deliveries SET attempts = ?, due = ?, delivered = ?, log = ? WHERE seq = ?",
        (attempts, due, delivered, json.dumps(entries[-20:]), attempt.delivery),
    )
    if delivered:
        event = session.get(attempt.event)
        if event:
            event["pending_webhooks"] = max(0, event["pending_webhooks"] - 1)
