"""`make run RELOAD=1`: the processes that run the application's code start anew when it changes."""

import shlex
from collections.abc import Mapping

CODE = ("apps", "config")
PAGES = ("templates", "static", "locale")
LOADING_CODE = frozenset({"worker", "provisioner", "beat", "relay"})
WEB = "web"
STEPS = ("build_css", "build_messages", "collectstatic --noinput -v 0")
MAKE_PAGES = " && ".join(f"python manage.py {step}" for step in STEPS)


def reloading(commands: Mapping[str, str]) -> dict[str, str]:
    """The same commands, each watched where it loads our code; what pages need is made anew before they are served."""
    watched = {name: _watched(f"exec {line}", CODE) for name, line in commands.items() if name in LOADING_CODE}
    web = _watched(f"{MAKE_PAGES} && exec {commands[WEB]}", (*CODE, *PAGES))
    return {**commands, **watched, WEB: web}


def _watched(script: str, folders: tuple[str, ...]) -> str:
    return shlex.join(["watchfiles", "--verbosity", "warning", shlex.join(["sh", "-c", script]), *folders])
