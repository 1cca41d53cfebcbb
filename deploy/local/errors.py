"""What the launcher tells the person in front of it."""


class LaunchError(Exception):
    """Something the reader has to put right: one line that says what to do."""


class PortTakenError(LaunchError):
    """Another process listens where an embedded server should."""
