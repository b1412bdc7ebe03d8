// The admin API. Paths are relative, so that a proxy may serve the page under another path.

const PATIENCE_MS = 10000;
const TOKEN = "opentracker-token";

class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

// Where a browser keeps nothing, the token is gone with the page instead of the tab.
const token = {
  kept: "",
  get() {
    try { return sessionStorage.getItem(TOKEN) ?? ""; } catch { return this.kept; }
  },
  set(value) {
    try { sessionStorage.setItem(TOKEN, value); } catch { this.kept = value; }
  },
  forget() {
    try { sessionStorage.removeItem(TOKEN); } catch { this.kept = ""; }
  },
};

async function ask(method, path, withToken = false) {
  const headers = withToken && token.get() ? { Authorization: `Bearer ${token.get()}` } : {};
  let reply;
  try {
    reply = await fetch(`./api/v1/${path}`, { method, headers, cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
  } catch {
    throw new Refusal(0, "the tracker does not answer");
  }
  const isJson = /\bjson\b/.test(reply.headers.get("content-type") ?? "");
  const body = isJson ? await reply.json().catch(() => null) : null;
  if (!reply.ok) throw new Refusal(reply.status, body?.detail ?? body?.title ?? `the tracker answered ${reply.status}`);
  return body;
}

const read = (path) => ask("GET", path);
const order = (method, path) => ask(method, path, true);

// Runs a task again and again while somebody sees the page; it returns how long to wait, or nothing.
function repeat(periodMs, task) {
  let timer = 0;
  let isRunning = false;
  const run = async () => {
    if (isRunning || document.hidden) return;
    clearTimeout(timer);
    isRunning = true;
    let wait;
    try {
      wait = await task();
    } finally {
      isRunning = false;
      if (!document.hidden) timer = setTimeout(run, wait ?? periodMs);
    }
  };
  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    run();
  });
  run();
  return run;
}
