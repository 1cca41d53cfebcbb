"""An organization's color, made legible: whatever is chosen, text on it and text in it keep WCAG's contrast."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .models import Profile

Color = tuple[int, int, int]

BLACK, WHITE = (0, 0, 0), (255, 255, 255)
PRODUCT_NAME, DEFAULT_COLOR = "Tenantry", "#4f39f6"
LIGHT_LINE, DARK_LINE = "#71717a", "#85858f"
LOST = 1.5  # a shape with less contrast than this to what is around it needs a line
LEGIBLE = 4.5  # WCAG 2.2, 1.4.3, level AA
STEPS = 50
STRONGER = 0.2
# What colored text stands on: the backgrounds of app.css that are hardest on it (--soft), and the ink on a fill.
LIGHT_SURFACE, LIGHT_BASE = (0xF2, 0xF2, 0xF5), WHITE
DARK_SURFACE, DARK_BASE, DARK_INK = (0x23, 0x23, 0x2B), (0x18, 0x18, 0x1E), (0x0F, 0x0F, 0x13)


@dataclass(frozen=True)
class Shades:
    """The accent tokens of one theme."""

    accent: str
    accent_strong: str
    on_accent: str
    tint: str
    on_tint: str


def light_shades(color: str) -> Shades:
    """A color darkened until it can be read on light surfaces, and white on it."""
    chosen = parsed(color)
    accent = _legible(chosen, BLACK, LIGHT_SURFACE)
    tint = mixed(LIGHT_BASE, accent, 0.1)
    return _shades(accent, mixed(accent, BLACK, STRONGER), WHITE, tint, _legible(accent, BLACK, tint))


def dark_shades(color: str) -> Shades:
    """A color lightened until it can be read on dark surfaces, and dark ink on it."""
    chosen = parsed(color)
    accent = _legible(chosen, WHITE, DARK_SURFACE)
    tint = mixed(DARK_BASE, accent, 0.2)
    return _shades(accent, mixed(accent, WHITE, STRONGER), DARK_INK, tint, _legible(accent, WHITE, tint))


def stylesheet(color: str) -> str:
    """The accent tokens for both themes; nothing without a color."""
    if not color:
        return ""
    light, dark = light_shades(color), dark_shades(color)
    tokens = (
        f"  --{name.replace('_', '-')}: light-dark({value}, {getattr(dark, name)});\n"
        for name, value in vars(light).items()
    )
    return ":root {\n" + "".join(tokens) + "}\n"


def contrast(first: Color, second: Color) -> float:
    """WCAG's contrast ratio, from 1 to 21."""
    darker, lighter = sorted((_luminance(first), _luminance(second)))
    return (lighter + 0.05) / (darker + 0.05)


def parsed(color: str) -> Color:
    """The channels of ``#rrggbb``."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def mixed(color: Color, other: Color, share: float) -> Color:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(color, other, strict=True))
    return red, green, blue


def _legible(color: Color, toward: Color, background: Color) -> Color:
    """The color itself or the nearest mix that is legible on the background; ``toward`` always is."""
    return next(shade for shade in _on_the_way(color, toward) if contrast(shade, background) >= LEGIBLE)


def _on_the_way(color: Color, toward: Color) -> Iterator[Color]:
    return (mixed(color, toward, step / STEPS) for step in range(STEPS + 1))


def _luminance(color: Color) -> float:
    red, green, blue = (_linear(channel / 255) for channel in color)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)


def _shades(*colors: Color) -> Shades:
    return Shades(*("#" + bytes(color).hex() for color in colors))


@dataclass(frozen=True)
class Brand:
    """An organization's name and color in its mails, and the address of its logo if mails can show it."""

    name: str = PRODUCT_NAME
    color: str = DEFAULT_COLOR
    logo: str = ""

    @property
    def ink(self) -> str:
        """White or black, whichever reads better on the color; one of them always has 4.5:1."""
        return max(("#ffffff", "#000000"), key=lambda ink: contrast(parsed(ink), parsed(self.color)))

    @property
    def light_edge(self) -> str:
        """The color of a line around the brand's color on a light card: unless the color is lost there, itself."""
        return LIGHT_LINE if contrast(parsed(self.color), LIGHT_BASE) < LOST else self.color

    @property
    def dark_edge(self) -> str:
        return DARK_LINE if contrast(parsed(self.color), DARK_BASE) < LOST else self.color


def brand_of(profile: Profile, logo: str = "") -> Brand:
    return Brand(profile.brand_name or profile.name, profile.brand_color or DEFAULT_COLOR, logo)
