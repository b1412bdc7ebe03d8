// What is shown changes in place and only where it differs, so that nothing flickers and the focus stays.

const at = (id) => document.getElementById(id);

function show(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function make(name, properties = {}, ...children) {
  const node = Object.assign(document.createElement(name), properties);
  node.append(...children);
  return node;
}

// Gives a list one child for each item, known by its key; `fill` writes an item into its child.
function fillList(list, items, key, create, fill) {
  const focused = document.activeElement;
  const old = new Map([...list.children].map((child) => [child.dataset.key, child]));
  let place = list.firstElementChild;
  for (const item of items) {
    const name = String(key(item));
    let child = old.get(name);
    if (child) old.delete(name);
    else {
      child = create(item);
      child.dataset.key = name;
    }
    fill(child, item);
    if (child === place) place = place.nextElementSibling;
    else list.insertBefore(child, place);
  }
  for (const child of old.values()) child.remove();
  if (focused !== document.activeElement && list.contains(focused)) focused.focus();
}

// A row of a table: the first cell is its header. Cells are texts or nodes.
function fillRow(row, cells) {
  cells.forEach((cell, index) => {
    if (cell instanceof Node) {
      if (row.children[index].firstChild !== cell) row.children[index].replaceChildren(cell);
    } else show(row.children[index], cell);
  });
}

function createRow(classes) {
  const cell = (className, index) => (index ? make("td", { className }) : make("th", { className, scope: "row" }));
  return make("tr", {}, ...classes.map(cell));
}

// A list of facts: pairs of a name and a text.
function fillFacts(list, facts) {
  const create = () => make("div", {}, make("dt"), make("dd"));
  fillList(list, facts, ([name]) => name, create, (node, [name, text]) => {
    show(node.firstChild, name);
    show(node.lastChild, text);
  });
}

function followTheme() {
  const kept = () => {
    try { return localStorage.getItem("opentracker-theme") ?? ""; } catch { return ""; }
  };
  const select = at("theme");
  const apply = (theme) => {
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
    redrawCharts();
  };
  select.value = kept();
  apply(select.value);
  select.addEventListener("change", () => {
    try { localStorage.setItem("opentracker-theme", select.value); } catch { /* it lasts as long as the page */ }
    apply(select.value);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawCharts);
}
