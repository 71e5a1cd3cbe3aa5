"""The style of the corpus page: readable on a phone, light and dark by the reader's setting."""

from __future__ import annotations

STYLE = """
:root{color-scheme:light dark;--ground:#fff;--card:#f6f7f9;--ink:#1c2430;--soft:#5d6878;--line:#dfe3e9;
--kept:#2f6fb7;--left:#d98032;--limit:#a3243b;--pause:#f3c969;--wave:#40546e;--warning:#8a5a00}
@media (prefers-color-scheme:dark){:root{--ground:#14181e;--card:#1c222b;--ink:#e6e9ee;--soft:#9aa6b6;--line:#313a47;
--kept:#6aa6ea;--left:#e39a55;--limit:#ff7f93;--pause:#6b5417;--wave:#a9bdd8;--warning:#f0c060}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:1160px;margin:0 auto;padding:20px 16px 60px}
h1{font-size:1.6rem;margin:8px 0 16px}h2{font-size:1.15rem;margin:0 0 10px}
section{margin:34px 0 0}
small{color:var(--soft);font-weight:normal;font-size:.82em}
.hint{color:var(--soft);font-size:.86rem;margin:6px 0}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:10px;margin:0}
.tiles div{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:12px 14px}
.tiles dt{color:var(--soft);font-size:.86rem}
.tiles dd{margin:2px 0 0;font-size:1.45rem;font-weight:600;line-height:1.25}
.tiles small{display:block;font-size:.86rem}
.wide{overflow-x:auto;border:1px solid var(--line);border-radius:10px}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{padding:7px 12px;text-align:left;white-space:nowrap;border-bottom:1px solid var(--line)}
th{color:var(--soft);font-weight:600;background:var(--card)}
tbody tr:last-child td{border-bottom:0}
.number{text-align:right;font-variant-numeric:tabular-nums}
.bar{display:inline-block;width:64px;height:7px;border-radius:4px;background:var(--line);margin-right:8px;
vertical-align:middle;overflow:hidden}.bar i{display:block;height:100%;background:var(--kept)}
details{border:1px solid var(--line);border-radius:10px;margin:8px 0;padding:0 14px;background:var(--card)}
summary{display:grid;grid-template-columns:9.5rem 1fr auto 3.2rem;gap:4px 14px;align-items:baseline;padding:10px 0;
cursor:pointer;list-style:none}
summary::-webkit-details-marker{display:none}
summary b::before{content:"▸";display:inline-block;width:1.1em;color:var(--soft)}
details[open] summary b::before{content:"▾"}
summary span{color:var(--soft);font-size:.9rem}summary strong,summary small{text-align:right;
font-variant-numeric:tabular-nums}
.utterances{list-style:none;margin:8px 0 14px;padding:0;display:grid;
grid-template-columns:repeat(auto-fill,minmax(min(100%,280px),1fr));gap:10px}
.utterances li{background:var(--ground);border:1px solid var(--line);border-radius:8px;padding:8px 12px;
min-width:0;overflow-wrap:anywhere}
.utterances p{margin:2px 0}
audio{width:100%;height:36px;display:block;margin:6px 0}
blockquote{margin:6px 0 2px;font-size:.92rem}
.detail{color:var(--limit);font-size:.84rem}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,420px),1fr));gap:14px}
figure{margin:0;border:1px solid var(--line);border-radius:10px;padding:10px 12px;background:var(--card);min-width:0}
figcaption{font-weight:600;font-size:.95rem;margin-bottom:4px}
svg{display:block;width:100%;height:auto}svg text{fill:var(--soft);font:12px system-ui,sans-serif}
svg .grid{stroke:var(--line)}svg .axis{stroke:var(--soft)}
svg .kept{fill:var(--kept)}svg .left{fill:var(--left)}
svg line.limit{stroke:var(--limit);stroke-width:1.5;stroke-dasharray:5 4}
svg text.limit{fill:var(--limit);font-weight:600}
svg.wave{height:64px;margin:4px 0}svg.wave polygon{fill:var(--wave);stroke:var(--wave);stroke-width:.6}
svg .pause{fill:var(--pause)}
.key i{display:inline-block;width:12px;height:12px;border-radius:3px;margin:0 5px 0 12px;vertical-align:-1px}
.key i:first-child{margin-left:0}.key .kept{background:var(--kept)}.key .left{background:var(--left)}
.key .limit{width:0;height:14px;border-radius:0;border-left:2px dashed var(--limit)}
.warning{color:var(--warning)}
a{color:var(--kept)}
@media (max-width:600px){main{padding:12px 12px 40px}summary{grid-template-columns:1fr auto 3rem}
summary span{grid-column:1/-1;grid-row:2}}
""".strip()
