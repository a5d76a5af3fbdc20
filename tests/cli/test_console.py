from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.text import Text

from farshore.cli.console import cell, say, table, wrapped


def printed(console: Console, *rows: tuple[str, ...]) -> str:
    file = io.StringIO()
    console.file = file
    table(console, ("one", "two", "three"), [tuple(cell(text, "cyan") if text else () for text in row) for row in rows])
    return file.getvalue()


def said(text: str, width: int, *, terminal: bool = True, lead: str = "", indent: int | None = None) -> list[str]:
    file = io.StringIO()
    console = Console(file=file, width=width, soft_wrap=True, force_terminal=terminal, color_system=None)
    say(console, text, lead=lead, indent=indent)
    return file.getvalue().splitlines()


def test_as_wide_as_their_content_and_no_blanks_at_the_end() -> None:
    console = Console(width=20, soft_wrap=True, color_system=None)
    long = "x" * 40
    assert printed(console, ("a", long, "b"), ("", "cc", "")) == (f"one  two{' ' * 39}three\na    {long}  b\n     cc\n")


def test_a_table_that_is_wider_than_the_terminal_is_blocks() -> None:
    console = Console(width=20, soft_wrap=True, color_system=None, force_terminal=True)
    assert printed(console, ("a", "10.1.1.1 and 100.65.0.1", "b"), ("", "cc", "")) == (
        "one    a\ntwo    10.1.1.1 and\n       100.65.0.1\nthree  b\n\ntwo    cc\n"
    )


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


def test_a_line_is_folded_in_a_terminal_and_whole_in_a_pipe() -> None:
    text = "customer-a/alice reaches portal-with-a-long-name at 10.1.1.1"
    assert said(text, 30, lead="✓ ") == ["✓ customer-a/alice reaches", "  portal-with-a-long-name at", "  10.1.1.1"]
    assert said(text, 30, lead="✓ ", terminal=False) == [f"✓ {text}"]
    assert said("one two", 30, indent=4) == ["one two"]


@pytest.mark.parametrize("width", range(1, 40))
def test_words_break_at_spaces_only(width: int) -> None:
    text = Text("  at last-hop-plain/a-node: 10.1.1.1:443  is  routed to at-customer-a, a word\n\nand another")
    lines = [line.plain for line in wrapped(text, width)]
    words = text.plain.split()
    assert [word for line in lines for word in line.split()] == words
    assert all(len(line) <= width or len(line.split()) == 1 for line in lines)
    assert lines[-1].split()[-1] == "another"


def test_colours_survive_folding() -> None:
    text = Text.assemble("from ", ("10.1.1.1 customer-a", "blue"), " to ", ("10.2.2.1", "green"))
    lines = wrapped(text, 14)
    assert [line.plain for line in lines] == ["from 10.1.1.1", "customer-a to", "10.2.2.1"]
    styles = [[(line.plain[span.start : span.end], span.style) for span in line.spans] for line in lines]
    assert styles == [[("10.1.1.1", "blue")], [("customer-a", "blue")], [("10.2.2.1", "green")]]
