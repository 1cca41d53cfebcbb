"""Which failures of a mail are for good, and which pass."""

from __future__ import annotations

import smtplib

# A server that wants other credentials refuses the installation, not the mail, which waits until they are mended.
OF_CREDENTIALS = frozenset({454, 530, 534, 535, 538})  # RFC 4954


def is_permanent(error: Exception) -> bool:
    """Whether sending the same mail again can never help: what RFC 5321 answers 5xx to, or what cannot be written."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(_refuses(code) for code, _ in error.recipients.values())
    if isinstance(error, smtplib.SMTPSenderRefused | smtplib.SMTPDataError):
        return _refuses(error.smtp_code)
    return isinstance(error, smtplib.SMTPNotSupportedError | ValueError)  # an address or a header that cannot be sent


def _refuses(code: int) -> bool:
    return 500 <= code <= 599 and code not in OF_CREDENTIALS
