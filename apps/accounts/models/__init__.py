from .calls import Attempt, IdempotentCall
from .people import CustomRole, Invitation, Membership, User
from .sessions import HandoffCode, Session
from .sharing import Share
from .tokens import ApiKey, RefreshToken, RevokedToken, SigningKey, TokenFamily
from .visits import SupportVisit

__all__ = [
    "ApiKey",
    "Attempt",
    "CustomRole",
    "HandoffCode",
    "IdempotentCall",
    "Invitation",
    "Membership",
    "RefreshToken",
    "RevokedToken",
    "Session",
    "Share",
    "SigningKey",
    "SupportVisit",
    "TokenFamily",
    "User",
]
