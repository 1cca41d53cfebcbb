"""Subscriptions: what is subscribed to, how it changes, what that costs, and how it goes on and ends by itself."""
