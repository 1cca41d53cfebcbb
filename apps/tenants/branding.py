"""An organization's name and color where others see them, and which text is readable on that color."""

from __future__ import annotations

from dataclasses import dataclass

from .models import Profile

PRODUCT_NAME, PRODUCT_COLOR = "Tenantry", "#4f39f6"
WHITE, BLACK = "#ffffff", "#000000"
LIGHT_CARD, LIGHT_LINE = WHITE, "#71717a"
DARK_CARD, DARK_LINE = "#18181d", "#85858f"
LOST = 1.5  # a shape with less contrast than this to what is around it needs a line


@dataclass(frozen=True)
class Brand:
    name: str = PRODUCT_NAME
    color: str = PRODUCT_COLOR

    @property
    def ink(self) -> str:
        """White or black, whichever reads better on the color; one of them always has 4.5:1."""
        return max((WHITE, BLACK), key=lambda ink: contrast(ink, self.color))

    @property
    def light_edge(self) -> str:
        """The color of a line around the brand's color on a light card: unless the color is lost there, itself."""
        return LIGHT_LINE if contrast(self.color, LIGHT_CARD) < LOST else self.color

    @property
    def dark_edge(self) -> str:
        return DARK_LINE if contrast(self.color, DARK_CARD) < LOST else self.color


def brand_of(profile: Profile) -> Brand:
    return Brand(name=profile.brand_name or profile.name, color=profile.brand_color or PRODUCT_COLOR)


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colors written as ``#rrggbb``, from 1 to 21, as WCAG 2 defines it."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: str) -> float:
    channels = (int(color[start : start + 2], 16) / 255 for start in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
