"""Files of uploads whose process was killed go away, and no file that a row names or may come to name."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from structlog.testing import capture_logs

from apps.operations import strays
from apps.operations.tasks import collect_stray_files
from apps.tenants.services import profiles
from tests.support.factories import Organization, add_document, add_project
from tests.support.pictures import png

DAY = 24 * 3600
FOLDERS = ["documents", "branding"]


def leave(organization: Organization, name: str, *, age: int) -> Path:
    """A file without a row, as a killed upload leaves it."""
    with organization.inside():
        return aged(Path(default_storage.path(default_storage.save(name, ContentFile(b"left")))), age)


def aged(path: Path, age: int) -> Path:
    os.utime(path, (time.time() - age,) * 2)
    return path


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize(("age", "stays"), [(0, True), (DAY - 60, True), (DAY + 60, False)])
def test_file__without_a_row__goes_when_no_request_can_still_name_it(home, folder, age, stays):
    left = leave(home, f"{folder}/left", age=age)

    collect_stray_files()

    assert left.exists() == stays


def test_file__old_and_named_by_a_row__stays(home):
    with home.inside():
        picture = SimpleUploadedFile("logo.png", png())
        logo = profiles.set_logo(actor=home.subject, tenant_id=home.tenant.id, upload=picture).logo
        named = [add_document(home, add_project(home)).file.name, logo]
        kept = [aged(Path(default_storage.path(name)), 400 * DAY) for name in named]

    collect_stray_files()

    assert [path.parent.name for path in kept if path.exists()] == FOLDERS


def test_file__in_a_folder_that_nothing_is_known_of__stays(home):
    kept = leave(home, "exports/of somebody else", age=400 * DAY)

    collect_stray_files()

    assert kept.exists()


def test_files__more_than_one_run_may_look_at__go_in_later_runs(home, monkeypatch):
    monkeypatch.setattr(strays, "SLICE", 2)
    files = [leave(home, f"documents/{number}", age=2 * DAY) for number in range(5)]

    with home.inside():
        runs = [strays.collect_strays(at_most=3) for _ in range(3)]

    assert runs == [(3, 3), (2, 2), (0, 0)]
    assert not any(path.exists() for path in files)


def test_run__over_all_organizations__looks_at_no_more_files_than_its_bound(home, monkeypatch):
    monkeypatch.setattr(strays, "FILES_PER_RUN", 3)
    collect, looked_at = strays.collect_strays, []
    files = [leave(home, f"documents/{number}", age=0) for number in range(5)]

    def counting(*, at_most: int) -> tuple[int, int]:
        looked_at.append(collect(at_most=at_most)[0])
        return looked_at[-1], 0

    monkeypatch.setattr(strays, "collect_strays", counting)
    collect_stray_files()

    assert (sum(looked_at), len(files)) == (3, 5)


def test_run__with_an_organization_that_fails__cleans_the_others(home, foreign, monkeypatch):
    left, collect = leave(foreign, "documents/left", age=2 * DAY), strays.collect_strays

    def failing_at_home(*, at_most: int) -> tuple[int, int]:
        if default_storage.path("") == str(home.folder):
            raise OSError("the disk does not answer")
        return collect(at_most=at_most)

    monkeypatch.setattr(strays, "collect_strays", failing_at_home)
    with capture_logs() as said:
        collect_stray_files()

    failed = [line["tenant_id"] for line in said if line["event"] == "stray_files_failed"]
    assert (failed, left.exists()) == ([str(home.tenant.id)], False)
