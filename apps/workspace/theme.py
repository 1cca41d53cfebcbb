"""Light, dark, or as the system has it, kept in a cookie so that it holds from the first byte of a page."""

THEME_COOKIE = "theme"
THEMES = ("light", "dark")
THEME_SECONDS = 365 * 24 * 3600
