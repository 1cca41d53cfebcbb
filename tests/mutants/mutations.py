"""Ways to break one wall each, as a replacement in one file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutation:
    name: str
    file: str
    old: str
    new: str
    suite: tuple[str, ...] = ("tests/isolation", "tests/test_sign_up.py")


TENANCY, WALLS, ACCESS, ACCOUNTS = "apps/tenancy", "apps/tenancy/walls", "apps/access", "apps/accounts"
TOKENS, MEMBERS, AUDIT = ("tests/tokens",), ("tests/members",), ("tests/audit",)
RIGHTS = ("tests/isolation/test_rights.py",)
STAFF, VISITS = ("tests/test_staff.py",), ("tests/test_visits.py",)

MUTATIONS = [
    Mutation(
        "row-level security off on one table",
        f"{WALLS}/rls.py",
        "    if owner_column is None:",
        '    if owner_column is None or model._meta.db_table == "projects_document":',
    ),
    Mutation(
        "row-level security not forced on the owner",
        f"{WALLS}/rls.py",
        '        sql.SQL("ALTER TABLE {} FORCE ROW LEVEL SECURITY").format(table),\n',
        "",
    ),
    Mutation(
        "policy without a check on new rows",
        f"{WALLS}/rls.py",
        "    return statement.format(sql.Identifier(name), table, roles, rows, rows)",
        "    return statement.format(sql.Identifier(name), table, roles, rows, ALL_ROWS)",
    ),
    Mutation(
        "control plane's tables open to every tenant",
        f"{WALLS}/rls.py",
        "sql.Identifier(APP_CONTROL), ALL_ROWS",
        "tenant_roles, ALL_ROWS",
    ),
    Mutation(
        "tables without tenants granted to tenants",
        f"{WALLS}/rls.py",
        "    if owner_column is None:\n        return statements",
        "    if owner_column is None:\n        return [*statements, _grant(ALL_PRIVILEGES, table, APP_TENANT)]",
    ),
    Mutation("role not set", f"{WALLS}/context_statements.py", 'f"SET LOCAL ROLE {role};', 'f"SET LOCAL ROLE NONE;'),
    Mutation(
        "public in place of the tenant's schema",
        f"{WALLS}/context_statements.py",
        "path = f'\"{schema}\", public'",
        'path = "public"',
    ),
    Mutation(
        "tenant setting forgotten", f"{WALLS}/context_statements.py", "SET LOCAL app.tenant_id='{tenant}';", "SELECT 1;"
    ),
    Mutation(
        "control rights without a context",
        f"{WALLS}/context_statements.py",
        'return _set_local("NONE", "public", "")',
        'return _set_local(APP_CONTROL, "public", "")',
    ),
    Mutation(
        "schema names not checked",
        f"{WALLS}/context_statements.py",
        "    if not SCHEMA_NAME.fullmatch(schema):",
        "    if not schema:",
    ),
    Mutation(
        "prefix believed in force after a savepoint was rolled back",
        f"{TENANCY}/postgresql/base.py",
        "self._in_force = not undone and (prefix is not None or self._in_force)",
        "self._in_force = prefix is not None or self._in_force",
    ),
    Mutation(
        "context may change inside a transaction",
        f"{TENANCY}/postgresql/base.py",
        "self._in_context[0] != context and not _is_rollback(query)",
        "False",
    ),
    Mutation(
        "session-wide settings instead of the transaction's",
        f"{WALLS}/context_statements.py",
        'sql = f"SET LOCAL ROLE {role};SET LOCAL search_path={path};SET LOCAL app.tenant_id=',
        'sql = f"SET ROLE {role};SET search_path={path};SET app.tenant_id=',
    ),
    Mutation(
        "router ignores the placement",
        f"{TENANCY}/router.py",
        "        return context.alias\n",
        "        return CONTROL_ALIAS\n",
    ),
    Mutation(
        "manager unscoped",
        f"{TENANCY}/models.py",
        "        rows.query.where.add(_of(self.model, rows.query.get_initial_alias(), built_for), AND)\n",
        "",
    ),
    Mutation(
        "queryset follows whoever runs it",
        f"{TENANCY}/models.py",
        "if self.built_for is not None and self.built_for != context.tenant_id:",
        "if False:",
    ),
    Mutation(
        "fetched rows handed to another tenant",
        f"{TENANCY}/models.py",
        "elif tenant_id is not None and tenant_id != self._fetched_for:",
        "elif False:",
    ),
    Mutation(
        "foreign key without the tenant",
        f"{TENANCY}/constraints.py",
        '["tenant_id", ',
        "[",
    ),
    Mutation("cache key without the tenant", f"{WALLS}/cache.py", "return context.tenant_id.hex", 'return "tenant"'),
    Mutation(
        "files without the tenant's folder",
        f"{WALLS}/storage.py",
        'os.path.join(settings.MEDIA_ROOT, "tenants", current_tenant_id().hex)',
        'os.path.join(settings.MEDIA_ROOT, "tenants")',
    ),
    Mutation(
        "task without a header runs in the control plane",
        f"{TENANCY}/tasks.py",
        "        model: Any = get_tenant_model()\n        context: TenantContext",
        "        if TENANT_HEADER not in (self.request.headers or {}):\n"
        '            return ControlContext("no header")\n'
        "        model: Any = get_tenant_model()\n        context: TenantContext",
    ),
    Mutation(
        "task header taken from the caller",
        f"{TENANCY}/tasks.py",
        "        if not self.control_reason:\n            headers[TENANT_HEADER]",
        "        if not self.control_reason and TENANT_HEADER not in headers:\n            headers[TENANT_HEADER]",
    ),
    Mutation(
        "context not left again",
        f"{TENANCY}/context.py",
        "        _current.reset(token)",
        "        pass",
    ),
    Mutation(
        "stream read outside its context",
        f"{TENANCY}/context.py",
        "    while True:\n        with use(context):",
        "    while True:\n        with use(None):",
    ),
    Mutation(
        "tenants' databases open to every login",
        f"{TENANCY}/schemas/server.py",
        '    _run(connection, "REVOKE ALL ON DATABASE {} FROM PUBLIC", database)\n',
        "",
    ),
    Mutation(
        "session valid on every host",
        "apps/accounts/sessions.py",
        'context if isinstance(context, TenantContext) else ControlContext("apex session")',
        'ControlContext("any session")',
    ),
    Mutation(
        "person of a session not asked for a membership",
        "apps/accounts/backends.py",
        "            return find_member(user_id, context.tenant_id)",
        "            return find_person(user_id)",
    ),
    Mutation(
        "membership of any tenant will do",
        "apps/accounts/selectors.py",
        ".filter(user_id=user_id, tenant_id=tenant_id, user__is_active=True)",
        ".filter(user_id=user_id, user__is_active=True)",
    ),
    Mutation(
        "sign-in without a membership",
        "apps/accounts/backends.py",
        "        member = find_member(user.pk, tenant.id) if",
        "        member = find_person(user.pk) if",
    ),
    Mutation(
        "what was proven with an old password holds",
        f"{ACCOUNTS}/services/proofs.py",
        "    if row is None or row.password != person.password:",
        "    if row is None:",
        TOKENS,
    ),
    Mutation(
        "hand-off code works twice",
        "apps/accounts/services/handoff.py",
        "used_at__isnull=True, ",
        "",
    ),
    Mutation(
        "a route that nobody listed",
        "apps/projects/urls.py",
        "urlpatterns = [\n",
        'urlpatterns = [\n    path("extra/", projects.project_list, name="extra"),\n',
    ),
    Mutation(
        "a route without a permission",
        "apps/projects/views/projects.py",
        "@requires(PROJECTS_DELETE, on=find_project)\n",
        "",
    ),
    Mutation(
        "a task that nobody listed",
        "apps/notifications/tasks.py",
        "@outbox.subscribe(TENANT_READY)",
        "@shared_task\ndef extra() -> None:\n    pass\n\n\n@outbox.subscribe(TENANT_READY)",
    ),
    Mutation(
        "token of another organization accepted",
        f"{ACCOUNTS}/middleware.py",
        "request.tenant.id != bearer.tenant_id:",
        "False:",
        TOKENS,
    ),
    Mutation(
        "void tokens accepted",
        f"{ACCOUNTS}/revocation.py",
        '        if alive == b"0" or revoked or (version and int(version) > token.version):',
        "        if False:",
        TOKENS,
    ),
    Mutation(
        "refresh token works twice",
        f"{ACCOUNTS}/services/tokens.py",
        "tenant_id=tenant_id, used_at=None, expires_at__gt=clocks.over()",
        "tenant_id=tenant_id, expires_at__gt=clocks.over()",
        TOKENS,
    ),
    Mutation(
        "key's scopes widened",
        f"{ACCOUNTS}/subjects.py",
        "    granted = key.permissions",
        "    granted = frozenset({*key.permissions, *EVERYONE})",
        RIGHTS,
    ),
    Mutation(
        "a key does what its maker may no longer",
        f"{ACCOUNTS}/models/tokens.py",
        "frozenset(self.scopes) & self.maker.permissions if",
        "frozenset(self.scopes) if",
        TOKENS,
    ),
    Mutation(
        "invitations outlive their sender",
        f"{ACCOUNTS}/services/invitations.py",
        "if invitation is None or not still_counts(invitation):",
        "if invitation is None:",
        TOKENS,
    ),
    Mutation(
        "private things open to the whole organization",
        f"{ACCESS}/decisions.py",
        "= (_private_things,)",
        "= ()",
        RIGHTS,
    ),
    Mutation(
        "any relation is enough",
        f"{ACCESS}/decisions.py",
        "    granted = action in RELATION_GRANTS[relation]",
        "    granted = True",
        RIGHTS,
    ),
    Mutation(
        "views about one thing do not decide",
        f"{ACCESS}/resources.py",
        "        self.check_object_permissions(request, self.resource)\n",
        "",
        RIGHTS,
    ),
    Mutation(
        "the last owner may go",
        f"{ACCOUNTS}/services/members.py",
        "    if not owners.exclude(id=membership.id).exists():",
        "    if not owners.exists():",
        MEMBERS,
    ),
    Mutation(
        "rights given that the giver lacks",
        f"{ACCOUNTS}/roles.py",
        "role.permissions <= actor.permissions and (",
        "(",
        MEMBERS,
    ),
    Mutation(
        "an event finished before its task has run",
        f"{TENANCY}/tasks.py",
        "            result = self.run(*args, **kwargs)\n        self._finish(kwargs)\n",
        "            self._finish(kwargs)\n            result = self.run(*args, **kwargs)\n",
        ("tests/test_outbox.py",),
    ),
    Mutation(
        "events gone once handed over",
        f"{TENANCY}/outbox/relay.py",
        'LEASE = """UPDATE platform.outbox SET ',
        'LEASE = """UPDATE platform.outbox SET event_id = gen_random_uuid(), ',
        ("tests/test_outbox.py",),
    ),
    Mutation(
        "an organization's events overtake each other",
        f"{TENANCY}/outbox/relay.py",
        "AND NOT EXISTS (SELECT FROM platform.outbox WHERE stage = 'in hand'",
        "AND NOT EXISTS (SELECT FROM platform.outbox WHERE stage = 'nowhere'",
        ("tests/test_outbox_batches.py",),
    ),
    Mutation(
        "all events of a message are the first one's organization's",
        f"{TENANCY}/tasks.py",
        "context_for_id(self.tenant_id)",
        "context_for_id(events[0].tenant_id)",
        ("tests/test_outbox_batches.py",),
    ),
    Mutation(
        "audit log can be changed",
        "apps/audit/migrations/0001_initial.py",
        "privileges='SELECT, INSERT'",
        "privileges='SELECT, INSERT, UPDATE, DELETE'",
        AUDIT,
    ),
    Mutation(
        "events sealed before older ones are committed",
        "apps/audit/chain.py",
        "pg_snapshot_xmin",
        "pg_snapshot_xmax",
        AUDIT,
    ),
    Mutation(
        "tenants shown to all staff",
        "apps/staff/access.py",
        "isinstance(user, User) and user.is_superuser",
        "isinstance(user, User)",
        STAFF,
    ),
    Mutation(
        "a silent connection asked for life inside a transaction",
        f"{TENANCY}/postgresql/base.py",
        "if self.autocommit and monotonic()",
        "if monotonic()",
    ),
    Mutation(
        "a schema that was left given to the next organization",
        "apps/tenants/models.py",
        "self.filter(state=Placement.State.WARM, tenant__isnull=True)",
        "self.filter(tenant__isnull=True)",
        ("tests/test_provisioning.py",),
    ),
    Mutation(
        "an organization served as it was before its hold",
        "apps/tenants/directory.py",
        "latest is not None and latest.allows(entry.version)",
        "True",
        ("tests/test_directory.py",),
    ),
    Mutation(
        "an organization served as it was before memory came back without its last change",
        "apps/tenants/versions.py",
        "(now.run, now.epoch) != (read.run, read.epoch)",
        "now.epoch != read.epoch",
        ("tests/test_store_away.py",),
    ),
    Mutation(
        "an organization served as it was before a change that could not be told",
        "apps/tenants/directory.py",
        "if faults != self._settled:",
        "if False:",
        ("tests/test_directory_changes.py",),
    ),
    Mutation(
        "any organization removed as if it were a probe",
        "apps/tenants/services/removal.py",
        "if not tenant.is_probe:",
        "if False:",
        ("tests/test_verify_isolation.py::test_organization__that_is_no_probe__is_never_removed",),
    ),
    Mutation(
        "a visit that may write",
        f"{ACCESS}/guards.py",
        "    return not is_safe(request) and not (access and access.while_read_only)",
        "    return False",
        VISITS,
    ),
    Mutation(
        "a visit that outlasts the right to it",
        f"{ACCOUNTS}/selectors.py",
        "visits.filter(MAY_VISIT, started_at",
        "visits.filter(started_at",
        VISITS,
    ),
    Mutation(
        "a visit that nobody is told of",
        f"{ACCOUNTS}/visiting.py",
        "            visits.tell_page(visit, request.path)",
        "            pass",
        VISITS,
    ),
]
