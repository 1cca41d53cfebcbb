"""`/_sandbox`: what Stripe has not and tests need."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from apps.stripe_sandbox import registry
from apps.stripe_sandbox.core.clock import Timekeeper
from apps.stripe_sandbox.core.errors import ApiError
from apps.stripe_sandbox.core.messages import Request, Response
from apps.stripe_sandbox.core.routes import ROUTES
from apps.stripe_sandbox.core.session import Session
from apps.stripe_sandbox.core.shapes import Doc
from apps.stripe_sandbox.core.store import Store
from apps.stripe_sandbox.core.version import API_VERSION
from apps.stripe_sandbox.core.webhooks import Postman
from apps.stripe_sandbox.objects import clocks

FAULTS = ("drop", "duplicate", "reorder", "delay")
AFTER_RETRIES = ("cancel", "unpaid", "past_due")
KEPT = "url"
FAILURES = (400, 599)
LONGEST_LATENCY = 60


class Control:
    """Commands in JSON, by POST; lists by GET."""

    def __init__(self, store: Store, timekeeper: Timekeeper, postman: Postman, url: str) -> None:
        self.store = store
        self.timekeeper = timekeeper
        self.postman = postman
        self.url = url
        self.commands: dict[tuple[str, str], Callable[[dict[str, Any]], Any]] = {
            ("GET", "status"): self.status,
            ("GET", "deliveries"): self.deliveries,
            ("GET", "meter_errors"): lambda _: self._read("meter errors", []),
            ("POST", "reset"): self.reset,
            ("POST", "snapshot"): self.snapshot,
            ("POST", "restore"): self.restore,
            ("POST", "advance"): self.advance,
            ("POST", "fail"): self.fail,
            ("POST", "latency"): self.latency,
            ("POST", "webhooks"): self.webhooks,
            ("POST", "redeliver"): self.redeliver,
            ("POST", "settings"): self.settings,
        }

    def answer(self, request: Request) -> Response:
        name = request.path.removeprefix("/_sandbox").strip("/")
        command = self.commands.get((request.method, name))
        if command is None:
            known = ", ".join(f"{method} /_sandbox/{path}" for method, path in self.commands)
            return _json(404, {"error": f"There is no such command. There are: {known}"})
        try:
            given = json.loads(request.body) if request.body.strip() else {}
            if not isinstance(given, dict):
                raise ApiError("What is wished is an object in JSON.")
            return _json(200, command(given))
        except ApiError as error:
            return _json(error.status, {"error": str(error)})
        except (KeyError, TypeError, ValueError) as error:
            return _json(400, {"error": f"{type(error).__name__}: {error}"})

    def _read(self, name: str, default: Any) -> Any:
        with self.store.transaction() as session:
            return session.setting(name, default)

    def status(self, given: dict[str, Any]) -> Doc:
        with self.store.transaction() as session:
            rows = session.connection.execute(
                "SELECT object, count(*) FROM documents WHERE gone = 0 GROUP BY object ORDER BY object"
            )
            waiting = session.connection.execute("SELECT count(*) FROM deliveries WHERE due IS NOT NULL").fetchone()[0]
            return {
                "api_version": API_VERSION,
                "time": session.time,
                "routes": len(ROUTES),
                "objects": dict(rows.fetchall()),
                "deliveries_waiting": waiting,
            }

    def deliveries(self, given: dict[str, Any]) -> list[Doc]:
        """What was sent, the newest first."""
        with self.store.transaction() as session:
            rows = session.connection.execute(
                "SELECT d.event, e.lookup, d.endpoint, d.attempts, d.due, d.delivered, d.log FROM deliveries d JOIN "
                "documents e ON e.id = d.event ORDER BY d.seq DESC LIMIT 1000"
            ).fetchall()
        names = ("event", "type", "endpoint", "attempts", "next_attempt", "delivered", "log")
        return [
            {**dict(zip(names, row, strict=True)), "delivered": bool(row[5]), "log": json.loads(row[6])} for row in rows
        ]

    def reset(self, given: dict[str, Any]) -> Doc:
        with self.store.lock:
            self.store.clear()
            self._begin()
        return {"reset": True}

    def _begin(self) -> None:
        with self.store.transaction() as session:
            session.set_setting(KEPT, self.url)
            registry.set_up(session)

    def _copy_path(self, given: dict[str, Any]) -> Path:
        name = str(given.get("name", "snapshot"))
        if not name.replace("-", "").replace("_", "").isalnum():
            raise ApiError("A snapshot's name has letters, digits, - and _.")
        return Path(f"{self.store.path}.{name}.snapshot")

    def snapshot(self, given: dict[str, Any]) -> Doc:
        self.store.save_copy(self._copy_path(given))
        return {"snapshot": given.get("name", "snapshot")}

    def restore(self, given: dict[str, Any]) -> Doc:
        path = self._copy_path(given)
        if not path.exists():
            raise ApiError("There is no such snapshot.", status=404)
        with self.store.lock:
            self.store.load_copy(path)
            self._begin()
        return {"restored": given.get("name", "snapshot")}

    def advance(self, given: dict[str, Any]) -> Doc:
        """Move everything: the time of what has no clock, and every test clock."""
        seconds = int(given["seconds"])
        if seconds <= 0:
            raise ApiError("Time only moves forward.")
        with self.store.transaction() as session:
            session.set_setting("time offset", session.setting("time offset", 0) + seconds)
            for clock in session.find("test_helpers.test_clock", "body ->> '$.status' = 'ready'"):
                clocks.start(session, clock, clock["frozen_time"] + seconds)
        self.timekeeper.work()
        self.postman.wake.set()
        with self.store.transaction() as session:
            return {"time": session.time}

    def fail(self, given: dict[str, Any]) -> Doc:
        """The next calls fail: `status` (429, 500 …), `count`, and if wished `method` and the beginning of the
        `path`."""
        status = int(given.get("status", 500))
        if not FAILURES[0] <= status <= FAILURES[1]:
            raise ApiError(f"A failure's status is from {FAILURES[0]} to {FAILURES[1]}.")
        fault = {
            "status": status,
            "count": int(given.get("count", 1)),
            "method": given.get("method"),
            "path": given.get("path"),
            "code": given.get("code"),
        }
        return self._write("fault", fault)

    def latency(self, given: dict[str, Any]) -> Doc:
        seconds = float(given["seconds"])
        if not 0 <= seconds <= LONGEST_LATENCY:
            raise ApiError(f"The latency is from 0 to {LONGEST_LATENCY} seconds.")
        return self._write("latency", seconds)

    def webhooks(self, given: dict[str, Any]) -> Doc:
        """A fault for the next `count` deliveries: drop, duplicate, reorder or delay; of some `types` only, if
        wished."""
        if given["fault"] not in FAULTS:
            raise ApiError(f"The faults are {', '.join(FAULTS)}.")
        fault = {
            "kind": given["fault"],
            "count": int(given.get("count", 1)),
            "types": given.get("types"),
            "seconds": int(given.get("seconds", 2)),
        }
        return self._write("webhook fault", fault)

    def redeliver(self, given: dict[str, Any]) -> Doc:
        """Send an event again, to every endpoint that had it.

        Deliveries of their own: an earlier one may be under way, and would note its end over the demand.
        """
        with self.store.transaction() as session:
            event = session.need("event", given["event"], "event")
            added = session.connection.execute(
                "INSERT INTO deliveries (event, endpoint, due) SELECT DISTINCT event, endpoint, ? FROM deliveries "
                "WHERE event = ?",
                (session.time, given["event"]),
            ).rowcount
            event["pending_webhooks"] += added
        self.postman.wake.set()
        return {"deliveries": added}

    def settings(self, given: dict[str, Any]) -> Doc:
        """What is set in Stripe's dashboard: `retry_days`, and `after_retries` (cancel, unpaid, past_due)."""
        with self.store.transaction() as session:
            if "retry_days" in given:
                days = [int(number) for number in given["retry_days"]]
                if any(number < 1 for number in days):
                    raise ApiError("The days from one attempt to the next are 1 or more.")
                session.set_setting("retry days", days)
            if "after_retries" in given:
                if given["after_retries"] not in AFTER_RETRIES:
                    raise ApiError(f"after_retries is one of {', '.join(AFTER_RETRIES)}.")
                session.set_setting("after retries", given["after_retries"])
            return _dashboard(session)

    def _write(self, name: str, value: Any) -> Doc:
        with self.store.transaction() as session:
            session.set_setting(name, value)
        return {name: value}


def _dashboard(session: Session) -> Doc:
    return {
        "retry_days": session.setting("retry days", [3, 5, 7]),
        "after_retries": session.setting("after retries", "cancel"),
    }


def _json(status: int, value: Any) -> Response:
    return Response(status, json.dumps(value, indent=2).encode())
