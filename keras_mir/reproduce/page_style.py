"""How the page looks: on a phone, on a wide screen, and in print."""

STYLE = """
:root { --ink: #1c1f23; --soft: #5b6470; --line: #d5dae0; --shade: #f3f5f7; --blue: #0b5394;
  --warm: #fdf3e3; }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
body { margin: 0 auto; max-width: 72rem; padding: 1rem 1.25rem 4rem; color: var(--ink); background: #fff;
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
p, li, dd, figcaption { overflow-wrap: anywhere; }
p, ul.notes { max-width: 46rem; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: .5rem 0 1rem; }
h2 { font-size: 1.3rem; line-height: 1.3; margin: 2.75rem 0 .75rem; padding-top: .75rem;
  border-top: 2px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.5rem 0 .4rem; }
a { color: var(--blue); }
.banner { margin: .75rem 0; padding: .6rem .9rem; border-left: .3rem solid #c77700; background: var(--warm); }
.banner.failed { border-color: #b3261e; background: #fcebea; }
.banner p { margin: 0; }
.banner ul { margin: .4rem 0 0; padding-left: 1.2rem; }
.banner p, .banner ul { max-width: none; }
nav ol { columns: 20rem; column-gap: 2rem; margin: 0; padding-left: 0; list-style: none; }
nav li { margin: .15rem 0; break-inside: avoid; }
dl.facts { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .35rem 1.25rem;
  margin: 0 0 1rem; }
dl.facts dt { color: var(--soft); }
dl.facts dd { margin: 0; }
pre { margin: .3rem 0 .9rem; padding: .5rem .7rem; background: var(--shade); border-radius: .25rem;
  font: .8125rem/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace;
  white-space: pre-wrap; overflow-wrap: anywhere; }
pre:target { outline: 2px solid #c77700; }
.status { font-size: .8rem; font-weight: 400; padding: .1rem .5rem; border-radius: 1rem; white-space: nowrap;
  background: #e3f1e6; color: #1d5a2c; vertical-align: middle; }
.status.failed { background: #fcebea; color: #8c1d18; }
.status.waiting { background: var(--warm); color: #7a4a00; }
.answer { margin: .25rem 0 .5rem; }
.whose { color: var(--soft); }
.scroll { overflow-x: auto; margin: .5rem 0 .35rem; }
table { border-collapse: separate; border-spacing: 0; font-size: .9rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding: .5rem 0 .4rem; font-size: .95rem; }
caption span { position: sticky; left: 0; display: inline-block;
  max-width: min(46rem, calc(100vw - 2.5rem)); }
th, td { padding: .28rem .7rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--line); }
thead th, thead td { font-weight: 600; border-bottom: 2px solid var(--soft); vertical-align: bottom; }
thead tr:not(:last-child) th[colspan] { border-bottom: 1px solid var(--line); text-align: center; }
tbody th { text-align: left; font-weight: 400; }
thead tr:first-child th:first-child { text-align: left; }
th[scope=row], thead tr:first-child > :first-child { padding-left: 0; }
th[scope=row], thead td { position: sticky; left: 0; background: #fff;
  background-clip: padding-box; }
td.words, th.words { text-align: left; white-space: normal; min-width: 9rem; }
td.published, th.published { background: var(--warm); color: #6b4200; font-style: italic; }
td a, a.cmd { text-decoration-color: #9bb7d3; text-underline-offset: .15em; }
td.bad, td.bad a { color: #8c1d18; }
p.note { margin: .2rem 0 1.4rem; font-size: .875rem; color: var(--soft); }
.figures { display: flex; flex-wrap: wrap; gap: 1rem 1.75rem; margin: 1rem 0; align-items: flex-start; }
figure { margin: 0; min-width: min(16rem, 100%); max-width: 100%; }
figure img { display: block; max-width: 100%; height: auto; }
figcaption { font-size: .875rem; color: var(--soft); margin-top: .3rem; }
figcaption b { color: var(--ink); }
footer { margin-top: 3rem; font-size: .875rem; color: var(--soft); }
@media (max-width: 40rem) {
  body { padding: .75rem 1rem 3rem; }
  h1 { font-size: 1.4rem; }
  h2 { font-size: 1.15rem; }
  dl.facts { display: block; }
  dl.facts dt { margin-top: .5rem; }
  th, td { padding: .28rem .5rem; }
  table { font-size: .8125rem; }
  tbody th { white-space: normal; min-width: 6.5rem; max-width: 9rem; overflow-wrap: anywhere; }
}
@media print {
  @page { margin: 15mm; }
  html { scroll-behavior: auto; }
  body { max-width: none; padding: 0; font-size: 9.5pt; }
  nav { display: none; }
  h2, h3, caption { break-after: avoid; }
  .scroll { overflow: visible; }
  table { font-size: 7.5pt; width: auto; max-width: 100%; }
  thead { display: table-header-group; }
  tr, figure, pre, .banner, .answer { break-inside: avoid; }
  th, td { padding: .15rem .3rem; white-space: normal; }
  thead th { overflow-wrap: anywhere; }
  th[scope=row], thead td, caption span { position: static; background: none; }
  caption span { max-width: none; }
  tbody th { white-space: normal; }
  table.by-class { break-inside: avoid; }
  figure img { max-height: 230mm; width: auto; }
  a { color: inherit; text-decoration: none; }
  a.cmd::after { content: " [" attr(data-number) "]"; font-size: 75%; color: var(--soft); }
  table.alike td a.cmd::after { content: none; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""
