"""Whatever color an organization chooses, its pages can be read."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.tenants.branding import LEGIBLE, contrast, dark_shades, light_shades, parsed, stylesheet

colors = st.tuples(*[st.integers(0, 255)] * 3).map(lambda channels: "#" + bytes(channels).hex())


@given(color=colors)
def test_any_color__in_both_themes__keeps_the_contrast(color):
    for shades, surfaces in [
        (light_shades(color), ["#ffffff", "#fafafa", "#f5f5f6", "#f2f2f5"]),
        (dark_shades(color), ["#18181e", "#0f0f13", "#131318", "#23232b"]),
    ]:
        pairs = [
            (shades.on_accent, shades.accent),
            (shades.on_accent, shades.accent_strong),
            (shades.on_tint, shades.tint),
            *((shades.accent, surface) for surface in surfaces),
        ]
        for ink, paper in pairs:
            assert contrast(parsed(ink), parsed(paper)) >= LEGIBLE, (color, ink, paper)


@given(color=colors)
def test_stylesheet__of_any_color__has_five_tokens_and_nothing_else(color):
    token = r"  --[a-z-]+: light-dark\(#[0-9a-f]{6}, #[0-9a-f]{6}\);\n"

    assert re.fullmatch(rf":root {{\n({token}){{5}}}}\n", stylesheet(color))


def test_color__that_can_be_read_already__stays():
    assert light_shades("#4f39f6").accent == "#4f39f6"
    assert dark_shades("#9d92ff").accent == "#9d92ff"


def test_stylesheet__without_a_color__is_empty():
    assert stylesheet("") == ""


@pytest.mark.parametrize(
    ("first", "second", "ratio"),
    [("#000000", "#ffffff", 21.0), ("#777777", "#ffffff", 4.48), ("#123456", "#123456", 1)],
)
def test_contrast__is_that_of_wcag(first, second, ratio):
    assert contrast(parsed(first), parsed(second)) == pytest.approx(ratio, abs=0.01)
