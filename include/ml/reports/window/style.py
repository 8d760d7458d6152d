"""The style of the report of a window, beside that of all pages."""

#: .newest begins at its right end, where the newest window is, on a screen too narrow for all
STYLE = """
.head { display: flex; flex-wrap: wrap; gap: .3rem .8rem; align-items: center;
  justify-content: space-between }
.badge { font-size: .8rem; font-weight: 600; white-space: nowrap; padding: .05rem .55rem; color: var(--soft);
  border: 1px solid var(--edge); border-radius: 1rem }
.badge.alarm { color: var(--moved); border-color: currentcolor }
.badge.broken { color: var(--bad); border-color: currentcolor }
.held .summary { border-left-color: var(--soft) }
.badge.quiet { color: var(--good); border-color: currentcolor } h1 + .badge { font-size: 1rem }
.summary { margin: .8rem 0; border-left: .4rem solid var(--good) }
.alarm .summary { border-left-color: var(--moved) } .broken .summary { border-left-color: var(--bad) }
.stack { display: flex; flex-wrap: wrap; gap: .9rem; align-items: flex-start } .stack > * { max-width: 100% }
.summary p { max-width: none } .rows { display: grid; gap: .9rem }
.lead { font-size: 1.25rem; line-height: 1.4; font-weight: 600 }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: 1rem }
.tile > * { display: block }
.tile b { font-size: 1.7rem; line-height: 1.2; font-variant-numeric: tabular-nums }
.tile span { font-size: .87rem } ul { margin: .2rem 0 .6rem; padding-left: 1.2rem } li { margin: .15rem 0 }
.dots { letter-spacing: .25em } .dots b { color: var(--moved) }
.facts { font-size: .87rem; color: var(--soft) }
.facts span { white-space: nowrap }
.facts b { color: var(--ink) } .card.moved { border-top: 3px solid var(--moved); padding-top: .75rem }
.card details table { font-size: .85rem } .small { max-width: 30rem }
.wide td:first-child { white-space: nowrap } .beside > .card { min-width: 0 }
.legend { font-size: .87rem; color: var(--soft); max-width: none; line-height: 1.9 }
.key { display: inline-block; width: 1.3em; height: .8em; margin: 0 .35em 0 .8em; border-radius: 2px }
.key:first-child { margin-left: 0 } .key.base { background: var(--base) }
.key.now { border: 2px solid var(--now); background: color-mix(in srgb, var(--now) 14%, transparent) }
.key.drifted { border-color: var(--moved); background: color-mix(in srgb, var(--moved) 16%, transparent) }
.key.dot, .key.diamond { width: .8em; border: 2px solid var(--now); background: var(--now);
  border-radius: 50% }
.key.young { background: var(--card) }
.key.band { background: color-mix(in srgb, var(--good) 22%, transparent) }
.key.diamond { border-color: var(--moved); background: none; border-radius: 0;
  transform: rotate(45deg) scale(.8) }
.chart { min-width: 40rem } .band { fill: color-mix(in srgb, var(--good) 18%, transparent) }
.promise { stroke: var(--good); stroke-width: 1.5 } .change { stroke: var(--soft); stroke-dasharray: 3 3 }
.trend { fill: none; stroke: var(--now); opacity: .45 } line.judged { stroke: var(--now); stroke-width: 3 }
circle.judged { fill: var(--now); stroke: var(--now); stroke-width: 2 } circle.young { fill: var(--card) }
line.young { stroke-dasharray: 4 3 }
polygon.estimate { fill: var(--card); stroke: var(--moved); stroke-width: 1.8 }
line.estimate { stroke: var(--moved); stroke-width: 1.5; stroke-dasharray: 3 3 }
.newest { direction: rtl } .newest > * { direction: ltr }
.newest > table { margin: 0 auto 0 0 }
.strip { border-collapse: separate; border-spacing: 2px; font-size: .8rem }
.strip th, .strip td { border: 0; padding: .1rem .35rem }
.strip tbody th { font-weight: 400; white-space: nowrap; position: sticky; left: 0; background: var(--paper) }
.strip thead th:nth-child(2) { width: 9rem; min-width: 6rem }
.strip i { display: block; height: .8rem; background: var(--now); border-radius: 2px }
.strip thead th { vertical-align: bottom }
.strip thead span { writing-mode: vertical-rl; transform: rotate(180deg); font-weight: 400;
  white-space: nowrap }
.strip td:nth-child(n+3) { text-align: center; min-width: 2.3rem; border-radius: 3px; padding: .1rem 0;
  border: 2px solid transparent }
.strip td.drifted { border-color: var(--ink); font-weight: 700 }
.strip .none, .strip .quiet { color: var(--soft) }
.strip .alarms td.alarm { color: var(--moved) } .strip .alarms td.broken { color: var(--bad) }
.h1 { background: rgb(var(--heat) / .08) } .h2 { background: rgb(var(--heat) / .16) }
.h3 { background: rgb(var(--heat) / .32) } .h4 { background: rgb(var(--heat) / .5) }
.h5 { background: rgb(var(--heat) / .72) }
"""
