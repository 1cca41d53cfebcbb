"""Stripe's API through stripe-python: unchanged against the sandbox and against Stripe's test mode."""
