"""The product as a person meets it: one command, a browser, a mail, and an end without leftovers."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Page

from tests.support.browsing import browsing

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
OURS = {"DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_OPERATOR_URL", "REDIS_URL", "SECRET_KEY", "MASTER_KEYS"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(data_dir: Path, port: int) -> Iterator[float]:
    """`make run` with its own data; yields the seconds until it answered, and ends it with Ctrl-C."""
    environment = {k: v for k, v in os.environ.items() if k not in OURS and k != "DJANGO_SETTINGS_MODULE"}
    environment.update(DATA_DIR=str(data_dir), PORT=str(port))
    log = data_dir.parent / "run.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "deploy.local", "run"], cwd=ROOT, env=environment, stdout=output, stderr=output
        )
    started = time.monotonic()
    try:
        while not answers(port):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() - started < 120, log.read_text()
            time.sleep(0.1)
        yield time.monotonic() - started
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0, log.read_text()


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=2) as response:
            return bool(response.status == 200)
    except OSError:
        return False


@contextmanager
def browser() -> Iterator[Page]:
    with browsing() as opened:
        yield opened.new_page()


def test_product__started_twice__signs_somebody_up_and_keeps_what_they_made(tmp_path):
    data_dir, port = tmp_path / "data with space", free_port()
    tmp_path.chmod(0o711)

    with running(data_dir, port), browser() as page:
        page.goto(f"http://localhost:{port}/sign-up/")
        page.fill("[name=organization]", "Browser & Co")
        page.fill("[name=email]", "owner@browser.example")
        page.fill("[name=password]", "a password that is long enough")
        page.click("main button[type=submit]")
        page.wait_for_url(f"http://browser-co.localhost:{port}/")
        page.click("text=Create a project")
        page.fill("[name=name]", "Kept")
        page.click("button:has-text('Create project')")
        page.set_input_files("[name=file]", {"name": "a.txt", "mimeType": "text/plain", "buffer": b"content"})
        page.click("#upload button")
        with page.expect_download() as download:
            page.click("text=a.txt")
        assert Path(download.value.path()).read_bytes() == b"content"
        wait_for_mail(page, port, "Browser & Co is ready")
        for slug in ("acme", "globex", "initech"):
            sign_in(page, port, slug)
            page.goto(f"http://{slug}.localhost:{port}/projects/")
            assert page.locator("tbody th a").count() == 3

    assert [p.cmdline() for p in processes_of(data_dir)] == []

    with running(data_dir, port), browser() as page:
        page.goto(f"http://browser-co.localhost:{port}/sign-in/")
        page.fill("[name=login]", "owner@browser.example")
        page.fill("[name=password]", "a password that is long enough")
        page.click("main button[type=submit]")
        page.wait_for_url(f"http://browser-co.localhost:{port}/")
        page.goto(f"http://browser-co.localhost:{port}/projects/")
        assert page.locator("tbody th a").all_inner_texts() == ["Kept"]


def sign_in(page: Page, port: int, slug: str) -> None:
    page.goto(f"http://{slug}.localhost:{port}/sign-in/")
    page.fill("[name=login]", f"owner@{slug}.example")
    page.fill("[name=password]", f"demo password for {slug}")
    page.click("main button[type=submit]")
    page.wait_for_url(f"http://{slug}.localhost:{port}/")


def wait_for_mail(page: Page, port: int, subject: str) -> None:
    for _ in range(50):
        page.goto(f"http://localhost:{port}/dev/inbox/")
        if page.locator(f"h2:has-text('{subject}')").count():
            return
        page.wait_for_timeout(200)
    raise AssertionError("the welcome mail did not arrive")


def processes_of(data_dir: Path) -> list[psutil.Process]:
    everything = psutil.process_iter(["cmdline"])
    return [p for p in everything if any(str(data_dir) in part for part in p.info["cmdline"] or [])]
