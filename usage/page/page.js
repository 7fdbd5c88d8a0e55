"use strict";
const data = JSON.parse(document.getElementById("data").textContent);

function size(n) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let i = 0;
  while (n >= 1024 && i < units.length - 1) {
    n /= 1024;
    i++;
  }
  return (i === 0 ? n : n.toFixed(1)) + " " + units[i];
}

function add(parent, tag, name, text) {
  const e = document.createElement(tag);
  e.className = name;
  if (text !== undefined) e.textContent = text;
  parent.appendChild(e);
  return e;
}

for (const c of data.cards) {
  const e = add(document.getElementById("cards"), "div", "card");
  add(e, "b", "", size(c.bytes));
  add(e, "span", "", c.name);
  add(e, "small", "", c.detail);
}

// What the bucket holds.
const parts = data.parts.filter((p) => p.bytes > 0);
const whole = parts.reduce((sum, p) => sum + p.bytes, 0);
for (const p of parts) {
  const e = add(document.getElementById("whole"), "div", "");
  e.style.cssText = `flex: ${p.bytes / whole} 0 0; min-width: 2px; background: ${p.color}`;
  e.title = `${p.name}: ${size(p.bytes)}`;
  const l = add(document.getElementById("legend"), "span", "");
  add(l, "i", "key").style.background = p.color;
  l.append(`${p.name}: ${size(p.bytes)} (${(100 * p.bytes / whole).toFixed(1)} %)`);
}

// The treemap.
const map = document.getElementById("map");
const root = d3.hierarchy(data.tree).sum((d) => d.bytes || 0).sort((a, b) => b.value - a.value);
const hues = new Map((root.children || []).map((team, i) => [team, (210 + i * 137.5) % 360]));

function draw(top) {
  map.replaceChildren();
  // A team that is shown alone is laid out anew; its own place in the whole stays.
  const at = top === root ? root : d3.hierarchy(top.data).sum((d) => d.bytes || 0).sort((a, b) => b.value - a.value);
  d3.treemap().size([map.clientWidth, map.clientHeight]).round(true).paddingInner(1)
    .paddingTop((n) => (n.depth > 0 && n.children ? 20 : 0))(at);
  for (const n of at.descendants()) {
    if ((n === at && n.children) || n.x1 === n.x0 || n.y1 === n.y0) continue;
    const team = top === root ? n.ancestors().at(-2) : top;
    const e = add(map, n.children ? "button" : "div", "tile", n.data.name);
    e.style.cssText = `left: ${n.x0}px; top: ${n.y0}px; width: ${n.x1 - n.x0}px; height: ${n.y1 - n.y0}px`;
    e.title = `${n.data.title || n.data.name}: ${size(n.value)}`;
    if (n.x1 - n.x0 < 28 || n.y1 - n.y0 < 15) {
      e.textContent = "";
      e.style.padding = "0";
    }
    if (n.children) {
      e.classList.add("team");
      e.onclick = () => draw(n);
      continue;
    }
    if (n.data.kind !== "repository") e.classList.add("hatched");
    e.style.backgroundColor = n.data.kind === "orphans" || n.data.kind === "several" ? "#6b7380" : `hsl(${hues.get(team)} 45% 42%)`;
    if (e.textContent && n.y1 - n.y0 > 34) {
      add(e, "br", "");
      e.append(size(n.value));
    }
  }
  const path = document.getElementById("path");
  path.replaceChildren();
  if (top !== root) {
    add(path, "button", "", "all teams").onclick = () => draw(root);
    path.append(` / ${top.data.name}: ${size(top.value)}`);
  } else {
    path.append(`all teams: ${size(root.value)}`);
  }
  shown = top;
}

let shown = root;
draw(root);
addEventListener("resize", () => draw(shown));

// The bars.
for (const [id, rows] of [["teams", data.teams], ["repositories", data.repositories]]) {
  const longest = Math.max(1, ...rows.map((r) => r.exclusive + r.shared));
  for (const r of rows) {
    const row = add(document.getElementById(id), "div", "row");
    const head = add(row, "div", "");
    add(head, "span", "", r.name).title = r.name;
    add(head, "em", "", `${size(r.exclusive)} + ${size(r.shared)}`);
    const bar = add(row, "div", "stack");
    bar.title = `${r.name}: ${size(r.exclusive)} exclusive, ${size(r.shared)} shared, ${r.manifests} manifests, ${r.untagged} untagged`;
    for (const part of ["exclusive", "shared"]) {
      add(bar, "div", part).style.width = `${100 * r[part] / longest}%`;
    }
  }
}
