"""What the front page says: what is in the product, and the figures that the README has under «Measured»."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Text = str | Promise


@dataclass(frozen=True)
class Feature:
    icon: str
    title: Text
    text: Text


@dataclass(frozen=True)
class Figure:
    what: Text
    ours: Text
    plain: Text


@dataclass(frozen=True)
class Tile:
    label: Text
    value: Text


@dataclass(frozen=True)
class Happening:
    who: str
    did: Text
    at: Text


FEATURES = (
    Feature("users", _("People and roles"), _("Owner, admin, member, viewer, and roles of your own, right by right.")),
    Feature(
        "share-2", _("Sharing"), _("Private projects, shared with single people; and an answer to why somebody may.")
    ),
    Feature("mail-plus", _("Invitations"), _("A link by mail, good for a week, withdrawn with one click.")),
    Feature(
        "braces",
        _("An API for all of it"),
        _("Described in OpenAPI, safe to repeat, with keys that may do only what you say."),
    ),
    Feature(
        "scroll-text", _("Audit log"), _("Who did what, from where. Sealed in a chain, so that a change would show.")
    ),
    Feature("gauge", _("Limits that hold"), _("On requests and on guessing passwords, also while a server is away.")),
)
FIGURES = (
    Figure(_("Creating an organization, typically, with 500 there already"), "12 ms", "87 ms"),
    Figure(_("Lists of projects answered per second, with a token"), "712", "469"),
    Figure(_("Nineteen of twenty of them take at most"), "48 ms", "67 ms"),
    Figure(_("Rows of somebody else in 3,600 units of work through PgBouncer"), "0", _("4,291")),
    Figure(_("A new field in 200 schemas, the whole command"), _("1.3 s"), _("7.7 s")),
    Figure(_("Memory of the largest worker under 1,000 connections"), "136 MiB", "105 MiB"),
    Figure(_("Smallest units of work per second, where looking up the place is most of it"), "315", "513"),
)
TILES = (
    Tile(_("Projects"), "18"),
    Tile(_("Documents"), "246"),
    Tile(_("Storage"), _("3.4 GB")),
    Tile(_("Members"), "12"),
)
POINTS = [(str(day), float(day * 37 % 11 + day + 4)) for day in range(1, 25)]
HAPPENINGS = (
    Happening("Ada Obi", _("shared a project"), _("2 minutes ago")),
    Happening("Jon Weiss", _("uploaded a document"), _("an hour ago")),
)
