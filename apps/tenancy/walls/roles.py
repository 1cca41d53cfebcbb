"""The PostgreSQL roles and what each may do.

=============  ==========  =====================================================================
role           logs in     rights
=============  ==========  =====================================================================
owner          yes         owns every table, migrates; subject to row-level security itself
login          yes         none of its own (NOINHERIT); becomes one of the three below per statement
app_tenant     no          rows of the tenant in ``app.tenant_id``
app_control    no          the control plane; nothing in a tenant's schema
app_relay      no          the outbox
operator       yes         rows of every tenant, through policies: moves and archives
=============  ==========  =====================================================================

No role needs superuser or BYPASSRLS, which managed PostgreSQL does not hand out.
"""

from __future__ import annotations

APP_TENANT = "app_tenant"
APP_CONTROL = "app_control"
APP_RELAY = "app_relay"
ASSUMED_ROLES = (APP_TENANT, APP_CONTROL, APP_RELAY)

NOBODY = "ffffffff-ffff-ffff-ffff-ffffffffffff"  # whose events are in no organization's order
NIL_TENANT = "00000000-0000-0000-0000-000000000000"
PLATFORM_SCHEMA = "platform"
