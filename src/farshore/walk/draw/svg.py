"""The few SVG elements that a drawing needs, as text."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape as escape_markup
from textwrap import wrap

from farshore.errors import printable

SANS = "Helvetica, Arial, 'DejaVu Sans', sans-serif"
MONO = "Menlo, Consolas, 'DejaVu Sans Mono', monospace"
# Widths of characters, as a part of the font's size: of the wide fonts among the above, so that text fits.
_SANS_WIDTH = 0.58
_BOLD_WIDTH = 0.66
_MONO_WIDTH = 0.605

Attribute = str | float


def escape(text: str) -> str:
    """Return a text as XML may contain it, which knows no control characters, not even escaped ones."""
    return escape_markup(printable(text))


def element(name: str, content: str = "", /, **attributes: Attribute) -> str:
    """Return an element. Underscores in names of attributes stand for hyphens, a last one for nothing."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_number(value))}"' for key, value in attributes.items()
    )
    return f"<{name}{given}>{content}</{name}>" if content else f"<{name}{given}/>"


def text(
    x: float,
    y: float,
    says: str,
    size: float,
    *,
    width: float | None = None,
    bold: bool = False,
    mono: bool = False,
    anchor: str = "start",
    fill: str = "#1f2330",
) -> str:
    """Return a line of text. What is wider than ``width`` ends in an ellipsis and tells all when pointed at."""
    shown = says if width is None else shortened(says, room(width, size, bold=bold, mono=mono))
    content = escape(shown) if shown == says else escape(shown) + element("title", escape(says))
    more: dict[str, Attribute] = {"font_weight": "bold"} if bold else {}
    more |= {"font_family": MONO} if mono else {}
    more |= {"text_anchor": anchor} if anchor != "start" else {}
    return element("text", content, x=x, y=y, font_size=size, fill=fill, **more)


def paragraph(
    x: float, y: float, says: str, size: float, width: float, *, fill: str = "#1f2330"
) -> tuple[list[str], float]:
    """Return the lines of a longer text, and where the next one may begin."""
    lines = wrap(says, room(width, size), break_on_hyphens=False) or [""]
    step = size * 1.35
    drawn = [text(x, y + number * step, line, size, fill=fill) for number, line in enumerate(lines)]
    return drawn, y + len(lines) * step


def room(width: float, size: float, *, bold: bool = False, mono: bool = False) -> int:
    """Return how many characters surely fit."""
    share = _MONO_WIDTH if mono else _BOLD_WIDTH if bold else _SANS_WIDTH
    return max(int(width / (size * share)), 2)


def shortened(says: str, most: int) -> str:
    """Return a text of at most so many characters."""
    return says if len(says) <= most else says[: most - 1] + "…"


def group(elements: Iterable[str], **attributes: Attribute) -> str:
    """Return elements as one."""
    return element("g", "\n" + "\n".join(elements) + "\n", **attributes)


def document(width: float, height: float, title: str, description: str, elements: Iterable[str]) -> str:
    """Return a whole drawing on white paper."""
    paper = element("rect", width=width, height=height, fill="#ffffff")
    head = (element("title", escape(title)), element("desc", escape(description)), paper)
    return (
        element(
            "svg",
            "\n" + "\n".join((*head, *elements)) + "\n",
            xmlns="http://www.w3.org/2000/svg",
            viewBox=f"0 0 {_number(width)} {_number(height)}",
            width=width,
            height=height,
            role="img",
            font_family=SANS,
        )
        + "\n"
    )


def _number(value: Attribute) -> str:
    return value if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")
