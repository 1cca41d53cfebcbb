"""How Tenantry is started, on a laptop and elsewhere."""
