"""Invoices: what is on them, what they come to, and how they are paid."""
