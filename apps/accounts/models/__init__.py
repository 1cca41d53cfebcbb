from .people import CustomRole, Invitation, Membership, User
from .sessions import HandoffCode, Session
from .tokens import ApiKey, RefreshToken, RevokedToken, SigningKey, TokenFamily
from .visits import SupportVisit

__all__ = [
    "ApiKey",
    "CustomRole",
    "HandoffCode",
    "Invitation",
    "Membership",
    "RefreshToken",
    "RevokedToken",
    "Session",
    "SigningKey",
    "SupportVisit",
    "TokenFamily",
    "User",
]
