"""A Django project of its own, with nothing but dj-stripe, that mirrors the sandbox."""
