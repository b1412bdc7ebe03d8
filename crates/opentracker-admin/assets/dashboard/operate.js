// What needs the token: to look at torrents, to block them, to steer. Each change is confirmed.

const BLOCKS_A_PAGE = 50;
const VERDICTS = { served: "served", blocked: "blocked by hand", denied: "on the deny list", not_allowed: "not on the allow list" };
let shownHash = "";
let cursor = null;
let blocks = [];

function say(text, isBad = false) {
  at("result").className = isBad ? "bad" : "";
  show(at("result"), text);
}

function sayError(error) {
  if (error.status === 401) {
    lock();
    say("The tracker does not take this token.", true);
  } else if (error.status === 403) {
    say("The tracker takes changes from its operator's listener and from the networks of access.admin alone.", true);
  } else say(`That failed: ${error.message}.`, true);
}

let settle = () => {};

function confirmed(title, text, verb) {
  const dialog = at("confirm");
  show(at("confirm-title"), title);
  show(at("confirm-text"), text);
  show(at("confirm-who"), instance && `This is ${instance}.`);
  show(at("confirm-yes"), verb);
  dialog.returnValue = "";
  dialog.showModal();
  at("confirm-no").focus();
  settle(false);
  return new Promise((resolve) => { settle = resolve; });
}

// Asks, does, and says what came of it.
async function change(button, { title, text, verb, method, path, done }) {
  if (!(await confirmed(title, text, verb))) return;
  button.disabled = true;
  try {
    const reply = await order(method, path);
    say(done(reply ?? {}));
  } catch (error) {
    sayError(error);
  }
  button.disabled = false;
  button.focus();
  refreshStatus();
}

const lasts = (reply) => (reply.lasts === "until_restart" ? " It lasts until the next restart, since there is no snapshot.path." : "");

async function unlock() {
  if (!token.get()) return lock();
  // A header field cannot have others.
  if (!/^[!-~]+$/.test(token.get())) return sayError(new Refusal(401));
  try {
    await loadBlocks();
  } catch (error) {
    return sayError(error);
  }
  say("");
  at("token-form").hidden = true;
  at("operate").hidden = false;
  return true;
}

function lock() {
  token.forget();
  at("token").value = "";
  at("operate").hidden = true;
  at("torrent").hidden = true;
  at("token-form").hidden = false;
  [blocks, shownHash] = [[], ""];
  showBlocks();
}

async function loadBlocks(from = null) {
  const page = await order("GET", `blocks?limit=${BLOCKS_A_PAGE}${from ? `&cursor=${encodeURIComponent(from)}` : ""}`);
  blocks = from ? [...blocks, ...page.blocks] : page.blocks;
  cursor = page.next;
  showBlocks();
}

function showBlocks() {
  const create = ({ info_hash: hash }) => {
    const row = createRow(["hash", "", "", "number"]);
    const button = make("button", { type: "button", textContent: "Unblock…", ariaLabel: `Unblock ${hash}` });
    button.addEventListener("click", () => unblock(button, hash));
    row.lastChild.append(button);
    return row;
  };
  fillList(at("blocks"), blocks, (block) => block.info_hash, create, (row, block) => {
    fillRow(row, [block.info_hash, block.note, moment(block.time_ms), row.lastChild.firstChild]);
  });
  show(at("blocks-note"), blocks.length ? "" : "None.");
  at("more-blocks").hidden = !cursor;
}

// Lists change with what was done; that they could not be read is said once already.
const refreshBlocks = () => loadBlocks().catch(sayError);

async function lookAt(text) {
  const hash = /(?<![0-9a-z])[0-9a-f]{40}(?![0-9a-z])/i.exec(text)?.[0].toLowerCase();
  at("operate-title").scrollIntoView({ block: "start" });
  if (!token.get()) {
    at("token").focus();
    return say("Enter the token first.", true);
  }
  if (!hash) return say("An info hash has 40 hexadecimal digits.", true);
  at("hash").value = hash;
  let detail;
  try {
    detail = await order("GET", `torrents/${hash}?peers=10`);
  } catch (error) {
    return sayError(error);
  }
  say("");
  showTorrent(detail);
}

function showTorrent({ info_hash: hash, verdict, swarm, peers }) {
  shownHash = hash;
  at("torrent").hidden = false;
  show(at("torrent-hash"), hash);
  const isBlocked = verdict === "blocked";
  const figures = swarm ? [
    ["Seeders", count(swarm.seeders)],
    ["Leechers", count(swarm.leechers)],
    ["Downloads", count(swarm.downloads)],
    ["Last announce", swarm.idle_minutes ? `${count(swarm.idle_minutes)} min ago` : "this minute"],
    ["Some of its peers", peers.map((peer) => peer.address + (peer.is_seeder ? " (seeds)" : "")).join(", ") || NONE],
  ] : [["Swarm", "nobody announces it"]];
  fillFacts(at("torrent-facts"), [["Verdict", VERDICTS[verdict] ?? verdict], ...figures]);
  at("block").hidden = at("note-label").hidden = isBlocked;
  at("unblock").hidden = !isBlocked;
}

async function block(button) {
  const hash = shownHash;
  const note = at("note").value.trim();
  await change(button, {
    title: "Block this torrent?",
    text: `${hash} is not served any more, and its peers are forgotten.`,
    verb: "Block",
    method: "PUT",
    path: `blocks/${hash}${note ? `?note=${encodeURIComponent(note)}` : ""}`,
    done: (reply) => {
      at("note").value = "";
      return `${hash} is blocked; ${plural(reply.purged.peers, "peer")} forgotten.${lasts(reply)}`;
    },
  });
  await afterChange(hash);
}

async function unblock(button, hash) {
  await change(button, {
    title: "Unblock this torrent?",
    text: `${hash} is served again, unless another list says no.`,
    verb: "Unblock",
    method: "DELETE",
    path: `blocks/${hash}`,
    done: (reply) => `${hash} is ${reply.was_blocked ? "not blocked any more" : "not blocked"}; it is ${VERDICTS[reply.verdict] ?? reply.verdict}.${lasts(reply)}`,
  });
  await afterChange(hash);
}

async function afterChange(hash) {
  if (!token.get()) return;
  await refreshBlocks();
  if (hash !== shownHash) return;
  const detail = await order("GET", `torrents/${hash}?peers=10`).catch(() => null);
  if (!detail) return;
  const hadFocus = document.activeElement === at("block") || document.activeElement === at("unblock") || document.activeElement === document.body;
  showTorrent(detail);
  if (hadFocus) at(detail.verdict === "blocked" ? "unblock" : "block").focus();
}

function reloadText({ changed, need_restart: restart, lists, purged, faults }) {
  const lines = ["Reloaded."];
  if (changed.length) lines.push(`In force: ${changed.join(", ")}.`);
  if (restart.length) lines.push(`After a restart: ${restart.join(", ")}.`);
  for (const { key, before, after } of lists) lines.push(`${key}: ${count(before)} entries before, ${count(after)} now.`);
  if (purged.torrents) lines.push(`${plural(purged.torrents, "torrent")} and ${plural(purged.peers, "peer")} forgotten.`);
  for (const fault of faults) lines.push(`Stays as it was: ${fault}.`);
  if (lines.length === 1) lines.push("Nothing changed.");
  return lines.join("\n");
}

const ORDERS = {
  reload: () => ({
    title: "Reload the configuration?",
    text: "The tracker reads its configuration and its access lists again. Torrents that are not served any more are forgotten.",
    verb: "Reload",
    method: "POST",
    path: "reload",
    done: reloadText,
  }),
  snapshot: () => ({
    title: "Write a snapshot now?",
    text: "The tracker writes its swarms to the file of snapshot.path. It serves meanwhile.",
    verb: "Write it",
    method: "POST",
    path: "snapshot",
    done: (reply) => `${reply.path} has ${plural(reply.torrents, "torrent")} and ${plural(reply.peers, "peer")} in ${octets(reply.octets)}.`,
  }),
  drain: () => (at("drain").dataset.draining === "true" ? {
    title: "End the drain?",
    text: "The tracker says again that it is ready.",
    verb: "End it",
    method: "DELETE",
    path: "drain",
    done: () => "The tracker takes clients again.",
  } : {
    title: "Drain this tracker?",
    text: "It goes on to answer, but /readyz fails and HTTP connections are closed after each reply, until the drain is ended.",
    verb: "Drain",
    method: "PUT",
    path: "drain",
    done: () => "The tracker drains: load balancers are to send its clients elsewhere.",
  }),
};

function startOperating() {
  at("token-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    token.set(at("token").value.trim());
    if (await unlock()) at("hash").focus();
    else at("token").focus();
  });
  at("torrent-form").addEventListener("submit", (event) => {
    event.preventDefault();
    lookAt(at("hash").value);
  });
  for (const [name, of] of Object.entries(ORDERS)) at(name).addEventListener("click", () => change(at(name), of()));
  at("block").addEventListener("click", () => block(at("block")));
  at("unblock").addEventListener("click", () => unblock(at("unblock"), shownHash));
  at("more-blocks").addEventListener("click", () => loadBlocks(cursor).catch(sayError));
  at("confirm").addEventListener("close", ({ target }) => {
    // The event comes late: the next question may be open.
    if (!target.open) settle(target.returnValue === "yes");
  });
  at("lock").addEventListener("click", () => {
    lock();
    say("The token is forgotten.");
    at("token").focus();
  });
  unlock();
}

followTheme();
startFigures();
startLists();
startOperating();
