"""The frame of all pages, and their style."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any
from urllib.parse import quote

from apps.stripe_sandbox.core.messages import Response
from apps.stripe_sandbox.pages.markup import Markup, html

STYLE = (Path(__file__).parent / "style.css").read_bytes()
POLICY = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'"


def page(title: str, body: Markup, *, status: int = 200, wide: bool = False) -> Response:
    """A whole page."""
    document = html(
        '<!doctype html><html lang=en><head><meta charset=utf-8><meta name=viewport content="width=device-width, '
        'initial-scale=1">'
        "<title>{title}</title><link rel=stylesheet href=/_style.css></head>"
        '<body class="{kind}"><header class=bar><span class=badge>TEST MODE</span><span class=muted>Sandbox: no '
        'money moves</span></header>'
        "<main>{body}</main></body></html>",
        title=title, body=body, kind="wide" if wide else "narrow",
    )  # fmt: skip
    return Response(
        status,
        document.encode(),
        {"Content-Security-Policy": POLICY, "Referrer-Policy": "same-origin"},
        "text/html; charset=utf-8",
    )


def redirect(url: str) -> Response:
    return Response(303, b"", {"Location": quote(url, safe=string.punctuation)}, "text/plain")


def message(title: str, text: str, *, status: int = 200, link: tuple[str, str] | None = None) -> Response:
    """A page that only says something."""
    back = html('<p><a class=button href="{url}">{label}</a></p>', label=link[0], url=link[1]) if link else None
    return page(
        title,
        html("<section class=card><h1>{title}</h1><p>{text}</p>{back}</section>", title=title, text=text, back=back),
        status=status,
    )


def alert(text: str | None) -> Markup | None:
    return html("<p class=alert role=alert>{text}</p>", text=text) if text else None


def field(label: str, name: str, value: Any = "", **attributes: str) -> Markup:
    """A labeled input."""
    extra = Markup(
        "".join(html(' {key}="{text}"', key=key.replace("_", "-"), text=text) for key, text in attributes.items())
    )
    return html(
        '<label class=field><span>{label}</span><input name="{name}" value="{value}"{extra}></label>',
        label=label,
        name=name,
        value=value,
        extra=extra,
    )
