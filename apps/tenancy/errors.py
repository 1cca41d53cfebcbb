"""What the engine raises when a piece of code tries to cross a wall."""


class ContextError(Exception):
    """The current context does not allow what was asked."""


class NoTenantContext(ContextError):
    """Tenant-plane work was asked for outside a tenant context."""


class CrossTenantUse(ContextError):
    """Something made for one tenant was used in another tenant's context."""


class ContextChangedInTransaction(ContextError):
    """A transaction was opened in one context and used in another."""


class TaskRefused(ContextError):
    """A task message carries no context, or one that may not run."""


class DatabaseNotConfigured(ContextError):
    """A database alias that this process has no credentials for was asked for."""


class SchemaChangedMeanwhile(Exception):
    """A schema is no longer in the state in which it was when the decision to change it was made."""


class SchemaDiverged(Exception):
    """A schema has migrations that this release does not know, and lacks some of this release's."""
