"""What a browser says about itself, in the few words that people recognize their own by."""

from __future__ import annotations

from django.utils.translation import gettext as _

# In this order: browsers name those they descend from.
BROWSERS = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "Firefox/": "Firefox",
    "CriOS/": "Chrome",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
}
SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "Windows": "Windows",
    "Mac OS X": "Mac",
    "CrOS": "ChromeOS",
    "Linux": "Linux",
}


def device(user_agent: str) -> str:
    """Browser and system; of a program what it calls itself first."""
    browser = next((name for mark, name in BROWSERS.items() if mark in user_agent), "")
    system = next((name for mark, name in SYSTEMS.items() if mark in user_agent), "")
    if browser:
        return _("%(browser)s on %(system)s") % {"browser": browser, "system": system} if system else browser
    return user_agent.partition(" ")[0][:60] or _("Unknown program")
