from __future__ import annotations

import io

from rich.console import Console

from farshore.cli.console import cell, columns


def printed(console: Console, *rows: tuple[str, ...]) -> str:
    file = io.StringIO()
    console.file = file
    cells = [tuple(cell(text, "cyan") if text else () for text in row) for row in rows]
    console.print(columns(("one", "two", "three"), cells), end="")
    return file.getvalue()


def test_as_wide_as_their_content_and_no_blanks_at_the_end() -> None:
    console = Console(width=20, soft_wrap=True, color_system=None)
    long = "x" * 40
    assert printed(console, ("a", long, "b"), ("", "cc", "")) == (f"one  two{' ' * 39}three\na    {long}  b\n     cc\n")


def test_an_empty_column_is_left_out() -> None:
    console = Console(width=80, soft_wrap=True, color_system=None)
    assert printed(console, ("a", "", "b")) == "one  three\na    b\n"


def test_a_gap_inside_a_row_and_one_at_its_end() -> None:
    console = Console(width=80, soft_wrap=True, color_system=None)
    assert printed(console, ("a", "bb", "c"), ("d", "", "e"), ("f", "", "")) == (
        "one  two  three\na    bb   c\nd         e\nf\n"
    )


def test_colours_where_the_console_has_them() -> None:
    console = Console(width=80, soft_wrap=True, force_terminal=True, color_system="standard", no_color=False)
    assert "\x1b[36ma\x1b[0m" in printed(console, ("a", "b", "c"))
