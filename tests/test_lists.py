"""Every list of the API comes in each order that it offers."""

from __future__ import annotations

from django.urls import resolve

from apps.access.list_query import ListQuery
from tests.invitations.mailbox import program
from tests.support.routes import NEEDS, TENANT_URLS, address_of, is_api
from tests.support.things import stock


def test_list__in_each_order_that_it_offers__is_shown(acme, subtests):
    values = stock(acme).arguments()
    client = program(acme, acme.owner)

    for route, needs in NEEDS.items():
        if not is_api(route) or "GET" not in needs:
            continue
        address = address_of(route, values)
        query = getattr(resolve(address, urlconf=TENANT_URLS).func.cls, "query", ListQuery())  # type: ignore[attr-defined]
        for ordering in query.orderings if len(query.orderings) > 1 else ():
            with subtests.test(route, ordering=ordering):
                assert client.get(address, {"ordering": ordering}).status_code == 200
