"""The letters about organizations and people."""

from __future__ import annotations

from typing import Any

from apps.tenants.branding import Brand

from .letters import letter

ADDRESS = "https://acme.example.com/invitations/eyJpbnZpdGF0aW9uIjo0Mn0:1vEq3X:sample-token-that-opens-nothing/"
ACME: dict[str, Any] = {"organization": "Acme Robotics", "address": ADDRESS}
LINKS = [("Acme Robotics", "https://acme.example.com/"), ("Globex & Daughters", "https://globex.example.com/")]
LOGO = (  # in the mail itself: development loads nothing from elsewhere
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAACAAAAAgCAYAAABzenr0AAAAiUlEQVR42mNgGGqAvyzvPz48IJbS1DHkWk6xIyi1mCKHUNtykhxB"
    "K8uJdsSAOoBSQyjST82ERJZZ1M5OVHUALbIyxb7/dUb0PzKmKBQotZxcR5DlAFyW43LEqAOGnwPongjpkg0HvCAa9EUxXSqjAa+O"
    "R1tEg6ZROiia5YOiYzJoumaDonNKSwAAf5ZwvbnFgg4AAAAASUVORK5CYII="
)

WELCOME = letter("welcome", **ACME, email="ada@example.com", brand=Brand("Acme Robotics"))
INVITATION = letter("invitation", **ACME, invited_by="Ada Lovelace", brand=Brand("Acme", "#0f766e", LOGO))
PASSWORD_RESET = letter("password_reset", **ACME, brand=Brand("Acme", "#fafaf5"))
VERIFICATION = letter(
    "verification", **ACME, brand=Brand("Acme Robotics, International Division for Very Long Names", "#111111")
)
ORGANIZATIONS = letter("organizations", links=LINKS)
