// The figures and their charts: of the last minutes from what is polled, of days from the trends.

const LIVE_MS = 2000;
const RETRY_MS = 5000;
const LIVE_VALUES = 300;
const SPANS = { live: 600, day: 86400, week: 7 * 86400 };
const KINDS = 5;

// Kinds of replies that do not speak for themselves.
const KIND_NAMES = {
  address: "impossible address", client: "denied client", network: "denied network", rate: "rate limited",
  silent: "too many to answer", connection_id: "no connection id", proxy: "silent proxy",
};

const PROTOCOLS = ["udp", "http", "webtorrent"];
const PROTOCOL_NAMES = ["UDP", "HTTP", "WebTorrent"];
const live = { times: [], udp: [], http: [], webtorrent: [], seeders: [], leechers: [], torrents: [], swarms: [], resident: [], udpTook: [], httpTook: [], kinds: new Map() };
let before = null;
let isFirst = true;
let trends = null;

const chartOf = {};

function makeCharts() {
  document.body.append(probe);
  chartOf.announces = new Chart("Announces per second", (value, isTick) => (isTick ? compact(value) : rate(value)));
  chartOf.replies = new Chart("Replies per second", (value, isTick) => (isTick ? compact(value) : rate(value)), { isLog: true });
  chartOf.latency = new Chart("Reply time, 99 % within", took);
  chartOf.peers = new Chart("Peers", (value, isTick) => (isTick ? compact(value) : count(value)));
  chartOf.torrents = new Chart("Torrents", (value, isTick) => (isTick ? compact(value) : count(value)));
  chartOf.memory = new Chart("Memory", octets, { isBinary: true });
}

const span = () => document.querySelector("input[name=span]:checked").value;
const sum = (counts) => counts.ipv4 + counts.ipv6 + counts.webtorrent;
const total = (items, test) => items.filter(test).reduce((all, item) => all + item.total, 0);

// The time within which so many of all replies between two looks at the histogram came.
function quantile(now, then, part) {
  const all = now.count - (then?.count ?? 0);
  if (all <= 0) return null;
  let [lower, below] = [0, 0];
  for (const [index, [bound, reached]] of now.buckets.entries()) {
    const here = reached - (then?.buckets[index]?.[1] ?? 0);
    if (here >= all * part) return lower + ((bound - lower) * (all * part - below)) / Math.max(here - below, 1);
    [lower, below] = [bound, here];
  }
  return lower;
}

function differences(now) {
  const secs = before ? (now.time_ms - before.time_ms) / 1000 : 0;
  // After a restart or a stop of this page the last look is no good.
  const isNext = before && secs > 0 && now.uptime_secs >= before.uptime_secs && secs < 15;
  const perSecond = (list, test) => {
    const number = total(now[list], test) - total(before[list], test);
    return number < 0 ? null : number / secs;
  };
  const announces = (protocol) => (isNext ? perSecond("requests", (item) => item.protocol === protocol && item.kind === "announce") : null);
  const kinds = now.replies.map(({ kind }) => [kind, isNext ? perSecond("replies", (item) => item.kind === kind) : null]);
  const slowest = (protocol) => {
    const of = (activity) => activity.latency.find((latency) => latency.protocol === protocol);
    return isNext && of(now) ? quantile(of(now), of(before), 0.99) : null;
  };
  return { isNext, announces: PROTOCOLS.map(announces), kinds, slowest: PROTOCOLS.map(slowest) };
}

function remember(now, found) {
  const row = {
    times: now.time_ms / 1000,
    udp: found.announces[0],
    http: found.announces[1],
    webtorrent: found.announces[2],
    seeders: sum(now.swarms.seeders),
    leechers: sum(now.swarms.leechers),
    torrents: now.swarms.torrents,
    swarms: now.memory.swarms_octets,
    resident: now.memory.resident_octets,
    udpTook: found.slowest[0],
    httpTook: found.slowest[1],
  };
  const length = live.times.length;
  for (const [kind, value] of found.kinds) {
    if (!live.kinds.has(kind)) live.kinds.set(kind, new Array(length).fill(null));
    live.kinds.get(kind)[length] = value;
  }
  for (const [name, value] of Object.entries(row)) live[name].push(value);
  for (const column of [...live.kinds.values(), ...Object.keys(row).map((name) => live[name])]) {
    if (column.length <= length) column[length] = null;
    if (column.length > LIVE_VALUES) column.shift();
  }
}

// The most frequent kinds have a line each, the others share one; a kind that never came has none.
function kindsToDraw() {
  const weight = (column) => column.reduce((all, value) => all + (value ?? 0), 0);
  const weighed = [...live.kinds].map(([kind, column]) => ({ kind, column, weight: weight(column) }));
  const seen = weighed.filter(({ kind, weight }) => weight > 0 || kind === "served");
  seen.sort((one, other) => (other.kind === "served") - (one.kind === "served") || other.weight - one.weight);
  const own = seen.splice(0, seen.length > KINDS + 1 ? KINDS : KINDS + 1);
  const names = own.map(({ kind }) => KIND_NAMES[kind] ?? words(kind));
  const columns = own.map(({ column }) => column);
  if (seen.length) {
    names.push("others");
    columns.push(live.times.map((_, index) => seen.reduce((all, { column }) => all + (column[index] ?? 0), 0)));
  }
  return [names, columns];
}

// Browsers have a line once they have come.
function byProtocol(columns) {
  const number = columns[2].some((value) => value) ? 3 : 2;
  return [PROTOCOL_NAMES.slice(0, number), columns.slice(0, number)];
}

function drawLive() {
  const draw = (chart, names, columns) => chartOf[chart].set(live.times, names, columns, SPANS.live);
  draw("announces", ...byProtocol([live.udp, live.http, live.webtorrent]));
  draw("replies", ...kindsToDraw());
  draw("latency", PROTOCOL_NAMES.slice(0, 2), [live.udpTook, live.httpTook]);
  draw("peers", ["Seeders", "Leechers"], [live.seeders, live.leechers]);
  draw("torrents", ["Torrents"], [live.torrents]);
  draw("memory", ["Process", "Swarms"], [live.resident, live.swarms]);
}

function drawTrends() {
  if (!trends) return;
  const series = new Map(trends.series.map(({ name, values }) => [name, values]));
  const length = Math.min(Math.max(0, ...trends.series.map(({ values }) => values.length)), SPANS[span()] / trends.interval_secs);
  const times = Array.from({ length }, (_, index) => trends.end_ms / 1000 - (length - 1 - index) * trends.interval_secs);
  const columns = (...of) => of.map((name) => (series.get(name) ?? []).slice(-length || Infinity));
  const draw = (chart, names, columns) => chartOf[chart].set(times, names, columns, SPANS[span()]);
  draw("announces", ...byProtocol(columns("udp_announces", "http_announces", "webtorrent_announces")));
  draw("replies", ["refused"], columns("refusals"));
  draw("peers", ["Seeders", "Leechers"], columns("seeders", "leechers"));
  draw("torrents", ["Torrents"], columns("torrents"));
  draw("memory", ["Swarms"], columns("memory_octets"));
}

function draw() {
  const isLive = span() === "live";
  chartOf.latency.figure.hidden = !isLive;
  at("charts").classList.toggle("days", !isLive);
  const values = trends?.series[0]?.values.length ?? 0;
  at("span-note").hidden = isLive || values > 1;
  show(at("span-note"), trends ? "The tracker notes a value every five minutes; there is nothing to draw yet." : "The trends are on their way.");
  if (isLive) drawLive();
  else drawTrends();
}

function showFigures(now, found) {
  const [udp, http, webtorrent] = found.announces;
  const seeders = sum(now.swarms.seeders);
  const peers = seeders + sum(now.swarms.leechers);
  const ipv6 = now.swarms.seeders.ipv6 + now.swarms.leechers.ipv6;
  const { resident_octets: resident, swarms_octets: swarms, limit_octets: limit } = now.memory;
  if (found.isNext) {
    show(at("announces"), rate(udp + http + webtorrent));
    show(at("announces-of"), `UDP ${rate(udp)}, HTTP ${rate(http)}${webtorrent ? `, WebTorrent ${rate(webtorrent)}` : ""}`);
    const all = now.latency.map((latency) => [latency, before.latency.find(({ protocol }) => protocol === latency.protocol)]);
    const busiest = all.sort((one, other) => other[0].count - one[0].count)[0];
    show(at("latency"), busiest ? took(quantile(...busiest, 0.5)) : NONE);
    show(at("latency-of"), busiest ? `median, 99 % within ${took(quantile(...busiest, 0.99))}` : "");
  }
  show(at("torrents"), count(now.swarms.torrents));
  show(at("torrents-of"), now.swarms.torrents ? `${tenths.format(peers / now.swarms.torrents)} peers each` : "");
  show(at("peers"), count(peers));
  show(at("peers-of"), peers ? `${count((100 * seeders) / peers)} % seed, ${count((100 * ipv6) / peers)} % IPv6` : "");
  show(at("downloads"), count(now.downloads));
  show(at("downloads-of"), `in ${lasted(now.uptime_secs)}`);
  show(at("memory"), octets(resident ?? swarms));
  show(at("memory-of"), limit ? `swarms ${octets(swarms)} of ${octets(limit)}` : `swarms ${octets(swarms)}`);
}

function alertOf(error) {
  if (error.status === 0) return "The tracker does not answer. Trying again.";
  if (error.status === 401 || error.status === 403) return "Access denied: the tracker shows its figures to others, not to this address.";
  return `No figures: ${error.message}.`;
}

function showState(kind, text) {
  at("state").hidden = false;
  at("state").className = `pill ${kind}`;
  show(at("state"), text);
}

async function refreshFigures() {
  let now;
  try {
    now = await read("activity");
  } catch (error) {
    show(at("alert"), alertOf(error));
    at("alert").hidden = false;
    showState("bad", error.status ? "No figures" : "No answer");
    before = null;
    return RETRY_MS;
  }
  at("alert").hidden = true;
  const found = differences(now);
  remember(now, found);
  showFigures(now, found);
  before = now;
  if (span() === "live") draw();
  return isFirst ? ((isFirst = false), LIVE_MS / 2) : LIVE_MS;
}

async function refreshTrends() {
  if (span() === "live") return;
  try {
    trends = await read("trends");
  } catch {
    return;
  }
  draw();
}

function startFigures() {
  makeCharts();
  const loadTrends = repeat(60000, refreshTrends);
  for (const input of document.querySelectorAll("input[name=span]")) {
    input.addEventListener("change", () => {
      draw();
      loadTrends();
    });
  }
  repeat(LIVE_MS, refreshFigures);
}
