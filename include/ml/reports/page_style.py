"""The style of pages that people look at, light and dark as their screen is, and the page around it.

Colours are Okabe's and Ito's, which colour-blind people tell apart; no meaning is told by a colour alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

#: no script, no picture, no font, no address but the page's own
POLICY = "default-src 'none'; style-src 'unsafe-inline'"

STYLE = """
:root { color-scheme: light dark; --ink: #1b2733; --soft: #5b6875; --paper: #f5f7f9; --card: #fff;
  --edge: #dbe1e7; --base: #c3cbd3; --now: #0b6aa8; --moved: #c04f00; --good: #00795a; --bad: #b3261e;
  --heat: 192 79 0 }
@media (prefers-color-scheme: dark) { :root { --ink: #e7ecf1; --soft: #9cabb9; --paper: #10161c;
  --card: #19222b; --edge: #2c3844; --base: #47535f; --now: #62b5ec; --moved: #ff9a4d; --good: #3cc79c;
  --bad: #ff8278; --heat: 255 140 60 } }
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, sans-serif }
main { max-width: 84rem; margin: 0 auto; padding: 1.5rem clamp(.75rem, 3vw, 2rem) 4rem }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .25rem; text-wrap: balance }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem } h3 { font-size: 1rem; margin: 0; overflow-wrap: anywhere }
p { margin: .4rem 0; max-width: 75ch } a { color: var(--now) } .soft { color: var(--soft) }
code { font-size: .85em; overflow-wrap: anywhere }
.card { background: var(--card); border: 1px solid var(--edge); border-radius: .6rem; padding: .9rem 1rem }
.grid { display: grid; gap: .9rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 18rem), 1fr)) }
.beside { display: grid; gap: .9rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr));
  align-items: start }
.wide { overflow-x: auto; position: relative } svg { display: block; width: 100%; height: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .25rem 0 }
caption { text-align: left; font-weight: 600; padding-bottom: .25rem }
th, td { padding: .2rem .7rem .2rem 0; border-bottom: 1px solid var(--edge); text-align: left;
  vertical-align: top } td.number { text-align: right } th { font-weight: 600 }
summary { cursor: pointer; color: var(--soft); padding: .25rem 0 }
:focus-visible { outline: 2px solid var(--now); outline-offset: 2px }
text { fill: var(--soft); font: 11px system-ui, sans-serif } .axis, .grid-line { stroke: var(--soft) }
line.grid { stroke: var(--edge) } .base { fill: var(--base) }
polyline.now { fill: color-mix(in srgb, var(--now) 14%, transparent); stroke: var(--now); stroke-width: 2 }
rect.now { fill: var(--now) } .gauge { fill: none; stroke: var(--edge) }
.moved polyline.now { stroke: var(--moved); fill: color-mix(in srgb, var(--moved) 16%, transparent) }
.moved rect.now { fill: var(--moved) }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%) }
@media print { body { background: #fff } .card { break-inside: avoid } }
"""


def whole(title: str, parts: Iterable[str], style: str = "") -> str:
    """A page of its own: no script, no other file, no network.

    Parameters
    ----------
    title
        Name of the page, text.
    parts
        What is on it, HTML.
    style
        Rules beside the common ones.
    """
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}{style}</style></head>"
        f"<body><main>{''.join(parts)}</main></body></html>\n"
    )
