"""The page that a report is: one HTML file with its style inside, and the parts it is made of.

What is called ``html...`` goes in as it is; all else is plain text and escaped here.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from training import pictures

# Nothing may be fetched, whatever is written into the page.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

STYLE = """
:root { color-scheme: light dark; --paper: #f7f5f1; --accent: #1f6fb5; }
@media (prefers-color-scheme: dark) { :root { --paper: #121519; --accent: #6db6f0; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", sans-serif; }
main { max-width: 74rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { font-size: 2.1rem; line-height: 1.2; margin: 0; letter-spacing: -.02em; }
h2 { font-size: 1.3rem; margin: 3rem 0 .25rem; letter-spacing: -.01em; }
h3 { font-size: 1.05rem; margin: 0 0 .5rem; }
p { margin: .25rem 0 1rem; max-width: 46rem; color: var(--muted); }
p b { color: var(--ink); }
code { font: .82em ui-monospace, monospace; overflow-wrap: anywhere; }
.figures, .columns { display: grid; gap: 1rem; margin: 1.25rem 0; }
.figures { grid-template-columns: repeat(auto-fit, minmax(min(100%, 9rem), 1fr)); }
.figures .card:first-child { grid-column: 1 / -1; }
@media (min-width: 40rem) {
  .figures { grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); }
  .figures .card:first-child { grid-column: span 2; } }
.masonry { columns: 2 27rem; column-gap: 1rem; margin: 1.25rem 0; }
.masonry .card { break-inside: avoid; margin-bottom: 1rem; }
.columns { grid-template-columns: repeat(auto-fit, minmax(min(100%, 27rem), 1fr));
  align-items: start; }
.card { background: var(--surface); border: 1px solid var(--grid); border-radius: 14px;
  padding: 1.1rem 1.25rem; min-width: 0; }
.card dt { color: var(--muted); font-size: .9rem; }
.card dd { margin: 0; }
.figure { font-size: clamp(1.5rem, 5vw, 2rem); font-weight: 650; letter-spacing: -.02em;
  line-height: 1.3; font-variant-numeric: tabular-nums; }
.card:first-child > .figure { color: var(--accent); font-size: 2.9rem; line-height: 1.2; }
.note { color: var(--muted); font-size: .85rem; line-height: 1.4; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem;
  font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .4rem .75rem .4rem 0; vertical-align: top;
  border-bottom: 1px solid var(--grid); }
tr:last-child > * { border-bottom: 0; }
th { font-weight: 500; color: var(--muted); }
td { overflow-wrap: anywhere; }
.numbers :is(th, td) { text-align: right; padding: .4rem 0 .4rem .75rem; }
.digits img { border-radius: 8px; background: #000; }
@media (prefers-color-scheme: light) { .digits img { filter: invert(1) hue-rotate(180deg); } }
.ramp { display: flex; gap: .75rem; align-items: center; font-size: .85rem;
  color: var(--muted); margin: 0 0 1rem; }
.ramp i { flex: 0 1 14rem; height: .7rem; border-radius: .35rem; border: 1px solid var(--grid);
  background: linear-gradient(90deg, rgb(45 130 205), transparent, rgb(238 120 35)); }
"""


def page(title: str, html: Sequence[str]) -> str:
    """The whole document, light or dark as its reader has it."""
    body = "\n".join(filter(None, html))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{pictures.STYLE}{STYLE}</style></head>\n"
        f"<body><main>\n{body}\n</main></body></html>\n"
    )


def section(title: str, html_text: str, *html: str) -> str:
    """A part of the page: its title, a paragraph where there is one, and what follows."""
    paragraph = f"<p>{html_text}</p>" if html_text else ""
    return f"<section><h2>{escape(title)}</h2>{paragraph}{''.join(html)}</section>"


def columns(html: Sequence[str]) -> str:
    """Cards side by side where there is room, in rows."""
    return f'<div class="columns">{_cards(html)}</div>'


def masonry(html: Sequence[str]) -> str:
    """Cards of uneven height, in columns that are filled one after the other."""
    return f'<div class="masonry">{_cards(html)}</div>'


def figures(named: Sequence[tuple[str, str, str]]) -> str:
    """Name, figure and note of what is to be seen first."""
    cards = "".join(
        f'<div class="card"><dt>{escape(name)}</dt><dd class="figure">{escape(figure)}</dd>'
        f'<dd class="note">{escape(note)}</dd></div>'
        for name, figure, note in named
    )
    return f'<dl class="figures">{cards}</dl>'


def table(rows: Sequence[Sequence[str]], heads: Sequence[str] = (), *, code: bool = False) -> str:
    """Rows of text; the first cell of each names it."""
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    lines = [f"<tr>{head}</tr>"] if heads else []
    for first, *others in rows:
        cells = "".join(
            f"<td><code>{escape(text)}</code></td>" if code else f"<td>{escape(text)}</td>"
            for text in others
        )
        lines.append(f'<tr><th scope="row">{escape(first)}</th>{cells}</tr>')
    return f'<div class="scroll"><table>{"".join(lines)}</table></div>'


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested JSON objects as rows of a dotted name and a value."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", plain(value)


def plain(value: object) -> str:
    """A JSON value as text; a string without its quotes."""
    return value if isinstance(value, str) else json.dumps(value)


def _cards(html: Sequence[str]) -> str:
    return "".join(f'<div class="card">{block}</div>' for block in html)
