"""Bringing every schema of every database to a release."""
