"""E-mails from templates: each says its sentences once, and the layouts make subject, text and HTML of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import mrml
from django.template.loader import render_to_string

from apps.tenants.branding import Brand

NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # MJML with one of these is refused
# By default some names of fonts load them from elsewhere, which would tell who opened the mail and when.
OPTIONS = mrml.RenderOptions(fonts={})


@dataclass(frozen=True)
class Composed:
    subject: str
    text: str
    html: str


def compose(template: str, context: dict[str, Any], brand: Brand) -> Composed:
    """Render ``emails/<template>.txt`` in each layout.

    The context may hold an ``address``, which the button opens, and ``links``, pairs of a label and an address.
    Values are escaped before MJML is read, so nobody's name can become markup of either kind.
    """
    context = {**context, "brand": brand}
    context["subject"] = " ".join(_render(template, "subject.txt", context).split())  # a name may hold a line break
    text = _render(template, "text.txt", context).strip() + "\n"
    source = NOT_XML.sub("", _render(template, "html.mjml", context))
    return Composed(subject=context["subject"], text=text, html=mrml.to_html(source, render_options=OPTIONS).content)


def _render(template: str, layout: str, context: dict[str, Any]) -> str:
    return render_to_string(f"emails/{template}.txt", {**context, "layout": f"emails/layouts/{layout}"})
