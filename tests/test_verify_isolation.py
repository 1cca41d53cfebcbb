from __future__ import annotations

import json

from django.core.management import call_command


def test_verify_isolation__on_this_installation__finds_nothing(platform, database, capsys):
    try:
        call_command("verify_isolation", "--html=/tmp/walls.html")
    finally:
        print(capsys.readouterr().out, file=__import__("sys").__stderr__)
