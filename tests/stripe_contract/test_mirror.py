"""dj-stripe against the sandbox, in a process and a database of its own: sync of all that is served, and webhooks."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def found(tmp_path_factory, request):
    """What the mirror reports of one run."""
    from tests.stripe_contract.serving import served

    directory = tmp_path_factory.mktemp("mirror")
    with served(directory / "stripe.sqlite3") as port:
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.stripe_contract.mirror.settings",
            "SANDBOX_URL": f"http://127.0.0.1:{port}",
            "MIRROR_DATABASE": str(directory / "mirror.sqlite3"),
        }
        command = [sys.executable, "-m", "tests.stripe_contract.mirror.check"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_sync__of_everything_served__without_an_error(found):
    assert found["sync"]["errors"] == ""
    assert found["again"] == ""
    for name, count in found["sync"]["counts"].items():
        assert count["missing"] == [], name
        assert count["stripe"] > 0 or name == "WebhookEndpoint", name


def test_webhooks__duplicated_and_concurrent__each_event_once(found):
    report = found["webhooks"]

    assert report["arrived"]
    assert report["settled"]
    assert report["exceptions"] == []
    assert report["events"] == report["events_unique"]
    assert report["triggers"] > 40
    assert (report["invalid"], report["unprocessed"]) == (0, 0)


def test_webhooks__in_any_order__the_mirror_has_the_last_state(found):
    assert found["webhooks"]["statuses"] == ["canceled"]
    assert found["webhooks"]["names"] == [f"Customer {number}" for number in range(4)]
