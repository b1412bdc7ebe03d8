// Torrents, client software, the nodes of the cluster, and what the tracker says of itself.

const TOP_ROWS = 10;
const CLIENT_ROWS = 10;
let instance = "";
let largest = null;

function showTop() {
  if (!largest) return;
  const torrents = largest[document.querySelector("input[name=order]:checked").value].slice(0, TOP_ROWS);
  const create = ({ info_hash: hash }) => {
    const row = createRow(["first", "number", "number", "number wide"]);
    const name = make("button", { type: "button", className: "hash link", textContent: hash, title: "Look at this torrent" });
    name.addEventListener("click", () => lookAt(hash));
    row.firstChild.append(name);
    return row;
  };
  fillList(at("top"), torrents, (torrent) => torrent.info_hash, create, (row, torrent) => {
    fillRow(row, [row.firstChild.firstChild, count(torrent.seeders), count(torrent.leechers), count(torrent.downloads)]);
  });
  at("top-note").hidden = torrents.length > 0;
}

function showClients(clients) {
  const all = clients.reduce((sum, { announces }) => sum + announces, 0);
  const shown = clients.slice(0, CLIENT_ROWS);
  const create = () => {
    const row = createRow(["", ""]);
    row.lastChild.append(make("div", { className: "share" }, make("i"), make("span", { className: "number" })));
    return row;
  };
  fillList(at("clients"), shown, ({ name }) => name, create, (row, { name, announces }) => {
    show(row.firstChild, name);
    const [bar, text] = row.lastChild.firstChild.children;
    bar.style.width = `${(100 * announces) / (shown[0].announces || 1)}%`;
    show(text, percent(all ? announces / all : 0));
  });
  at("clients-note").hidden = clients.length > 0;
}

function showCluster({ tracker_id: id, is_joined: isJoined, nodes }) {
  at("cluster").hidden = false;
  const note = nodes.length ? `${plural(nodes.length, "other node")}.` : "No other node was heard.";
  show(at("cluster-note"), `This node is ${id}. ${isJoined ? "" : "It does not take part: its interface is down or not in the group. "}${note}`);
  const create = () => createRow(["", "hash", "", "number", "number", "number", "number", "number", "number", "number"]);
  fillList(at("nodes"), nodes, (node) => `${node.address} ${node.tracker_id}`, create, (row, node) => fillRow(row, [
    node.address ?? NONE,
    node.tracker_id ?? NONE,
    node.carriers.join(", ") + (node.is_split ? " (silent on others)" : ""),
    node.heard_secs_ago == null ? "never" : `${took(node.heard_secs_ago)} ago`,
    took(node.lag_secs),
    node.clock_ahead_secs == null ? NONE : `${node.clock_ahead_secs < 0 ? "−" : "+"}${Math.abs(node.clock_ahead_secs)} s`,
    count(node.torrents),
    count(node.packets),
    count(node.applied),
    count(node.dropped),
  ]));
}

function showStatus(status) {
  instance = `process ${status.instance.pid}, tracker id ${status.instance.tracker_id}`;
  const isDraining = status.state === "draining";
  showState(isDraining ? "warn" : "", isDraining ? "Draining" : "Serving");
  show(at("who"), `${status.version} · up ${lasted(status.uptime_secs)}`);
  show(at("drain"), isDraining ? "End the drain…" : "Drain…");
  at("drain").dataset.draining = isDraining;
  const { snapshot, reload, lists } = status;
  const written = snapshot?.age_secs == null ? "none yet" : `${lasted(snapshot.age_secs)} ago, ${octets(snapshot.octets)}`;
  const failures = snapshot?.failures ? `, ${plural(snapshot.failures, "failure")}` : "";
  const entries = [["allow", lists.allow], ["deny", lists.deny], ["clients", lists.deny_clients], ["networks", lists.deny_networks]];
  const named = entries.filter(([, number]) => number != null).map(([name, number]) => `${name} ${count(number)}`);
  const listeners = status.listeners.map(({ protocol, address }) => `${protocol} ${address}`);
  listeners.push(...status.xdp.map((on) => `xdp ${on.interface}, ${plural(on.queues, "queue")}, ${on.mode}`));
  fillFacts(at("about"), [
    ["Instance", instance],
    ["Listeners", listeners.join("\n") || NONE],
    ["Access lists", named.join(", ") || "none"],
    ["Blocked by hand", plural(lists.blocked, "torrent")],
    ["Snapshot", snapshot ? written + failures : "off"],
    ["Latest reload", reload ? `${lasted(reload.age_secs)} ago${reload.succeeded ? "" : ", not everything was taken over"}` : "none"],
  ]);
  show(at("stamp"), `opentracker ${status.version}`);
}

// What cannot be had now stays as it was: the figures say what is wrong. It returns how long to wait.
async function refresh(path, then, otherwise = () => {}) {
  try {
    then(await read(path));
  } catch (error) {
    return otherwise(error);
  }
}

let refreshStatus = () => {};

function startLists() {
  refreshStatus = repeat(5000, () => refresh("status", showStatus));
  repeat(10000, () => refresh("top", (top) => {
    largest = top;
    showTop();
  }));
  repeat(10000, () => refresh("clients", ({ clients }) => showClients(clients)));
  repeat(5000, () => refresh("cluster", showCluster, ({ status }) => {
    if (status) at("cluster").hidden = true;
    // Who may not see it now may hardly see it in a moment.
    return status ? 60000 : null;
  }));
  for (const input of document.querySelectorAll("input[name=order]")) input.addEventListener("change", showTop);
}
