"""What the API's description promises, tried with generated requests on a running server."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from apps.accounts.selectors import memberships_of
from apps.accounts.services import tokens
from tests.support.serving import ROOT, serving

pytestmark = pytest.mark.slow

CHECKS = "not_a_server_error,content_type_conformance,response_schema_conformance,response_headers_conformance"
# These end the session that the requests are made with, or the organization's last owner.
LEFT_OUT = r"/(logout|logout-everywhere|password|sessions/\{session_id\}|leave|ownership)$"


def test_api__under_generated_requests__keeps_to_its_description(acme, tmp_path):
    token = tokens.issue(memberships_of(acme.owner, tenant_id=acme.tenant.id)[0]).access
    with serving() as port:
        command = [
            *(str(Path(sys.executable).parent / "schemathesis"), "run", str(ROOT / "docs/openapi.yaml")),
            *("--url", f"http://127.0.0.1:{port}", "--header", f"Host: {acme.host}"),
            *("--header", f"Authorization: Bearer {token}", "--checks", CHECKS, "--exclude-path-regex", LEFT_OUT),
            *("--max-examples", "25", "--seed", "1", "--phases", "examples,coverage,fuzzing", "--workers", "1"),
            *("--suppress-health-check", "all", "--generation-database", "none", "--no-color"),
        ]
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=900)

    assert result.returncode == 0, result.stdout[-6000:]
