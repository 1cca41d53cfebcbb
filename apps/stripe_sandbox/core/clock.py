"""What happens by itself when time passes: for objects of a test clock as far as it is advanced, for others in real
time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from apps.stripe_sandbox.core.errors import ApiError, known
from apps.stripe_sandbox.core.session import Session
from apps.stripe_sandbox.core.shapes import Doc
from apps.stripe_sandbox.core.store import Store

ACTIONS: dict[str, Callable[[Session, Doc, int], None]] = {}
"""By type of object: does the one next thing that is due at the given time."""
DUE = (
    "SELECT id, due FROM documents INDEXED BY documents_due WHERE clock IS NULL AND due <= ? ORDER BY due, seq LIMIT 1"
)
DUE_ON_CLOCK = DUE.replace("clock IS NULL", "clock = ?")
BATCH = 50
log = logging.getLogger("stripe_sandbox")


def run_due(session: Session, clock: str | None, until: int) -> bool:
    """Do the one earliest thing that is due; whether there was one."""
    query, values = (DUE_ON_CLOCK, (clock, until)) if clock else (DUE, (until,))
    row = session.connection.execute(query, values).fetchone()
    if row is None:
        return False
    if clock:
        frozen = known(session.get(clock))
        if frozen["frozen_time"] < row[1]:
            frozen["frozen_time"] = row[1]
            session.flush()
    act(session, row[0], row[1])
    session.forget()
    return True


def act(session: Session, id_: str, due: int) -> None:
    """What goes wrong is undone and set aside: it must not stop the clock for everybody else."""
    session.connection.execute("SAVEPOINT step")
    try:
        doc = known(session.get(id_))
        ACTIONS[doc["object"]](session, doc, due)
        session.flush()
    except ApiError as error:
        if error.keep:
            session.flush()
        else:
            log.warning("%s cannot go on by itself: %s", id_, error)
            _set_aside(session, id_, str(error))
    except Exception as error:
        log.exception("%s cannot go on by itself", id_)
        _set_aside(session, id_, repr(error))
    session.connection.execute("RELEASE step")


def _set_aside(session: Session, id_: str, reason: str) -> None:
    session.connection.execute("ROLLBACK TO step")
    session.forget()
    known(session.get(id_))["_stuck"] = reason
    session.flush()


def advance_step(session: Session, clock_id: str, emit: Callable[[Session, str, Doc], None]) -> bool:
    """A batch of what a clock has still to do; whether it has arrived."""
    clock = session.get(clock_id)
    if clock is None or clock["status"] != "advancing":
        return True
    target = clock["_target"]
    for _ in range(BATCH):
        if not run_due(session, clock_id, target):
            clock = session.need("test_helpers.test_clock", clock_id)
            clock.update(frozen_time=target, status="ready", _target=None)
            clock["status_details"] = {}
            emit(session, "test_helpers.test_clock.ready", clock)
            return True
    return False


class Timekeeper(threading.Thread):
    """Advances clocks that were told to, and lets real time act on the rest."""

    def __init__(self, store: Store, emit: Callable[[Session, str, Doc], None]) -> None:
        super().__init__(name="timekeeper", daemon=True)
        self.store = store
        self.emit = emit
        self.wake = threading.Event()
        self.stopping = False

    def run(self) -> None:
        while not self.stopping:
            try:
                self.work()
            except Exception:
                log.exception("The clock stands still")
            self.wake.wait(timeout=1.0)
            self.wake.clear()

    def work(self) -> None:
        """Everything that is due now."""
        with self.store.transaction() as session:
            clocks = [doc["id"] for doc in session.find("test_helpers.test_clock", "body ->> '$.status' = 'advancing'")]
        for clock_id in clocks:
            arrived = False
            while not arrived and not self.stopping:
                with self.store.transaction() as session:
                    arrived = advance_step(session, clock_id, self.emit)
        more = True
        while more and not self.stopping:
            with self.store.transaction() as session:
                more = run_due(session, None, session.time)

    def stop(self) -> None:
        self.stopping = True
        self.wake.set()
        if self.is_alive():
            self.join(timeout=5)
