"""What development shows each mail with."""

from __future__ import annotations

from typing import Any

from apps.tenants.branding import Brand

from .composition import Composed, compose

ADDRESS = "https://acme.example.com/invitations/eyJpbnZpdGF0aW9uIjo0Mn0:1vEq3X:sample-token-that-opens-nothing/"
ACME = {"organization": "Acme Robotics", "address": ADDRESS}
LINKS = [("Acme Robotics", "https://acme.example.com/"), ("Globex & Daughters", "https://globex.example.com/")]
LOGO = (  # in the mail itself: development loads nothing from elsewhere
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAACAAAAAgCAYAAABzenr0AAAAiUlEQVR42mNgGGqAvyzvPz48IJbS1DHkWk6xIyi1mCKHUNtykhxB"
    "K8uJdsSAOoBSQyjST82ERJZZ1M5OVHUALbIyxb7/dUb0PzKmKBQotZxcR5DlAFyW43LEqAOGnwPongjpkg0HvCAa9EUxXSqjAa+O"
    "R1tEg6ZROiia5YOiYzJoumaDonNKSwAAf5ZwvbnFgg4AAAAASUVORK5CYII="
)

SAMPLES: dict[str, tuple[dict[str, Any], Brand]] = {
    "welcome": ({**ACME, "email": "ada@example.com"}, Brand("Acme Robotics")),
    "invitation": ({**ACME, "invited_by": "Ada Lovelace"}, Brand("Acme", "#0f766e", LOGO)),
    "password_reset": (ACME, Brand("Acme", "#fafaf5")),
    "verification": (ACME, Brand("Acme Robotics, International Division for Very Long Names", "#111111")),
    "organizations": ({"links": LINKS}, Brand()),
}


def sample(name: str) -> Composed:
    context, brand = SAMPLES[name]
    return compose(name, context, brand)
