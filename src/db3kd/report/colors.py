"""The colours of every page and picture, each to be read on its ground, light or dark.

Text has a contrast of 4.5 with what is behind it, and a mark one of 3 (WCAG 2.2, 1.4.3 and 1.4.11); a test computes
both. A page takes `LIGHT` or `DARK`, as its reader likes; marks are the same on both. Used by `page`, `pictures`,
`strips`, and the figure of the benchmarks.
"""

from collections.abc import Mapping

LIGHT: Mapping[str, str] = {
    "paper": "#ffffff",
    "ink": "#1b2530",
    "soft": "#5c6874",
    "line": "#d9dfe5",
    "panel": "#f5f7f9",
}
DARK: Mapping[str, str] = {
    "paper": "#14191f",
    "ink": "#e4e9ee",
    "soft": "#9aa6b2",
    "line": "#333d47",
    "panel": "#1c232b",
}
ACCENT, SECOND, MUTED = "#2f81c7", "#c2691a", "#757d87"
INKED = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
"""What matplotlib draws in the colour of the text."""


def luminance(color: str) -> float:
    """Tell how light a colour such as '#2f81c7' is, from 0 (black) to 1 (white), as WCAG 2 defines it."""
    parts = (part / 255 for part in bytes.fromhex(color.removeprefix("#")))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Tell the contrast of two colours, from 1 (none) to 21 (black on white), as WCAG 2 defines it."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def text_on(ground: str) -> str:
    """Choose white or black text, whichever is read better; its contrast is 4.5 or more on any ground."""
    return max(("#ffffff", "#000000"), key=lambda text: contrast(text, ground))
