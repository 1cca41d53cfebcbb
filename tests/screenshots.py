"""Takes the pictures in docs/screenshots: `make screenshots`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import django

if TYPE_CHECKING:
    from tests.support.browsing import Scene, Visitor

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "screenshots"
STAFF = ("staff-dashboard", "staff-tenants", "staff-tenant", "staff-outbox", "staff-fleet")
ALL_LOOKS = ("overview", "project", "members", "roles", "audit-log", "settings", "landing")
WIDE, PHONE = 1280, 390


def main() -> int:
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings_test"
    django.setup()
    from django.core.management import call_command

    from apps.fleet.services.control_plane import migrate_control
    from apps.tenants.services import schema_store
    from tests.support import servers
    from tests.support.browsing import browsing, furnish, pages, visit
    from tests.support.factories import create_organization
    from tests.support.history import a_month_passes, neighbors_move_in
    from tests.support.serving import serving

    servers.recreate_databases()
    call_command("setup_roles", verbosity=0)
    migrate_control()
    schema_store.replenish()
    FOLDER.mkdir(parents=True, exist_ok=True)
    for stale in FOLDER.glob("*.png"):
        stale.unlink()
    with serving() as port, browsing() as browser:
        scene = furnish(create_organization("Acme GmbH"))
        a_month_passes(scene)
        neighbors_move_in(scene)
        for scheme, width in (("light", WIDE), ("dark", WIDE), ("light", PHONE)):
            options = {"color_scheme": scheme, "viewport": {"width": width, "height": 860}, "reduced_motion": "reduce"}
            stranger, owner = visit(browser, port, **options), visit(browser, port, **options)
            owner.sign_in(scene.organization)
            for name, host, path, is_signed_in in pages(scene):
                if (scheme, width) == ("light", WIDE) or name in ALL_LOOKS:
                    _shoot(owner if is_signed_in else stranger, host, path, f"{name}-{scheme}-{width}")
            if width == WIDE:
                _shoot_staff(visit(browser, port, **options), scene, f"{scheme}-{width}")
    return 0


def _shoot_staff(visitor: Visitor, scene: Scene, look: str) -> None:
    """The pages from which the platform is run."""
    from tests.support.browsing import STAFF_PAGES, employ

    person = employ(scene)
    visitor.sign_in_as_staff(person.email)
    for name in STAFF:
        _shoot(visitor, "localhost", STAFF_PAGES[name](scene), f"{name}-{look}")


def _shoot(visitor: Visitor, host: str, path: str, name: str) -> None:
    visitor.go(host, path)
    visitor.page.evaluate("document.fonts.ready")
    visitor.page.screenshot(path=str(FOLDER / f"{name}.png"), full_page=True)
    print(name, flush=True)


if __name__ == "__main__":
    sys.exit(main())
