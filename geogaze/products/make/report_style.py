"""How the report looks: on a desk, on a phone, in the dark and on paper."""

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #fbfaf8; --card: #ffffff; --ink: #1d2530; --faint: #66707d; --line: #e4e1dc;
  --bar: #d9e4ec; --strong: #2f6f95; --careful: #8a5a12; --careful-paper: #fdf5e4;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #12161c; --card: #181d25; --ink: #e6eaef; --faint: #94a0ae; --line: #2a313b;
    --bar: #26384a; --strong: #7db8dc; --careful: #e8b05c; --careful-paper: #262014;
  }
}
* { box-sizing: border-box; }
html { font-size: 16px; -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 ui-sans-serif, system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
main { max-width: 62rem; margin: 0 auto; padding: 3.5rem 1.5rem 4rem; }
h1 { font-size: 2.1rem; line-height: 1.2; letter-spacing: -0.02em; margin: 0 0 0.4rem;
  font-weight: 640; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 3rem 0 0.9rem; font-weight: 620; letter-spacing: -0.005em; }
p { margin: 0 0 0.8rem; max-width: 44rem; }
.lead { color: var(--faint); margin: 0; overflow-wrap: anywhere; }
.facts { display: grid; grid-template-columns: repeat(4, 1fr); gap: 1px;
  margin: 2rem 0 0; background: var(--line); border: 1px solid var(--line); border-radius: 10px;
  overflow: hidden; }
.facts div { background: var(--card); padding: 0.85rem 1.05rem; }
.facts dt { color: var(--faint); font-size: 0.82rem; }
.facts dd { margin: 0.1rem 0 0; font-size: 1.12rem; font-weight: 600;
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.careful { margin: 1.5rem 0 0; padding: 0.9rem 1.15rem; border-left: 3px solid var(--careful);
  background: var(--careful-paper); border-radius: 0 8px 8px 0; }
.careful p { margin: 0.35rem 0 0; }
.careful strong { color: var(--careful); }
figure { margin: 2rem 0 0; }
figure img { display: block; width: 100%; height: auto; border-radius: 10px; }
figcaption { color: var(--faint); font-size: 0.86rem; margin-top: 0.6rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 0.48rem 0.7rem; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
th { font-weight: 500; color: var(--faint); font-size: 0.82rem; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; padding-left: 0.1rem; }
tr.nowhere td { color: var(--faint); }
.swatch { display: inline-block; width: 0.72em; height: 0.72em; border-radius: 3px;
  margin-right: 0.6em; }
.bar { display: inline-block; width: 4.2rem; height: 0.42rem; border-radius: 99px;
  background: var(--bar); margin-left: 0.65rem; vertical-align: 0.08rem; overflow: hidden;
  text-align: left; }
.bar i { display: block; height: 100%; background: var(--strong); border-radius: 99px; }
dl.plain { display: grid; grid-template-columns: minmax(9rem, 14rem) 1fr; margin: 0; }
dl.plain dt, dl.plain dd { margin: 0; padding: 0.42rem 0; border-bottom: 1px solid var(--line); }
dl.plain dt { color: var(--faint); padding-right: 1rem; }
dl.plain dd { overflow-wrap: anywhere; }
footer { margin-top: 3.5rem; color: var(--faint); font-size: 0.86rem; }
@media (max-width: 40rem) {
  main { padding: 2rem 1.1rem 3rem; }
  h1 { font-size: 1.6rem; }
  .facts { grid-template-columns: repeat(2, 1fr); }
  .bar, .besides { display: none; }
  th, td { padding-left: 0.45rem; padding-right: 0.45rem; }
  th { white-space: normal; }
  dl.plain { grid-template-columns: 1fr; }
  dl.plain dt { border: 0; padding-bottom: 0; font-size: 0.86rem; }
  dl.plain dd { padding-top: 0; }
}
@page { size: A4; margin: 16mm 15mm; }
@media print {
  :root {
    color-scheme: light;
    --paper: #fff; --card: #fff; --ink: #1d2530; --faint: #5c6672; --line: #dcdad6;
    --bar: #d9e4ec; --strong: #2f6f95; --careful: #8a5a12; --careful-paper: #fdf5e4;
  }
  html { font-size: 10.5px; }
  body { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  main { max-width: none; padding: 0; }
  figure, tr, .careful, .facts, dl.plain dt, dl.plain dd { break-inside: avoid; }
  h2 { break-after: avoid; }
  figure img { max-height: 200mm; width: auto; max-width: 100%; margin: 0 auto; }
  .wide { overflow: visible; }
  .bar { width: 3rem; }
}
"""
