"""How long and how much the server bears of clients and of Django, in seconds and bytes."""

WAITING = 2048  # requests that are here whole, in each process; beyond, 503 at once
WAIT_SECONDS = 30.0  # for a thread, then 503
STOP_SECONDS = 30.0  # for what has begun when a process is asked to end
STUCK_SECONDS = 60.0  # that a thread works on one request before `/health` calls for a new process

MEMORY = 256 * 1024  # of a body or an answer; what is longer goes to a file, and a body only if Django agrees
SPOOL = 4 * 2**30  # all bodies in files, in each process; beyond, 503
ANSWER = 2**30  # the longest answer
PIECE = 64 * 1024  # that is written to a file at once

IDLE_SECONDS = 10.0  # between two pieces of a body
GRACE_SECONDS = 20.0  # after which a body must have come at this speed:
BYTES_PER_SECOND = 16 * 1024
RECEIVING = 100  # bodies at once from one network, in each process; beyond, 429
UNREAD_SECONDS = 20.0  # without the client taking anything of its answer
