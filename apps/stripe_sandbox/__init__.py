"""A local Stripe for development and tests: its own process, its own database, no network. See README.md and
LIMITS.md."""
