// Two pages of a browser exchange a file: one seeds it, the other finds it through the tracker, or through
// another one of its cluster. All goes over TLS, with the certificate that is in the folder that this runs in, and that the
// browser looks at.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import { createRequire } from "node:module";

const modules = createRequire(`${process.env.OPENTRACKER_NPM}/`);
const { chromium } = modules("playwright-core");
const bundle = readFileSync(`${process.env.OPENTRACKER_NPM}/webtorrent/dist/webtorrent.min.js`);

const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
  "--host-resolver-rules=MAP tracker.example 127.0.0.1",
  // Else each page hides its address behind a name, which wants multicast to be found.
  "--disable-features=WebRtcHideLocalIpsWithMdns",
];
const PATIENCE_MS = 60000;
const LENGTH = 300_000;
const [tracker, other = tracker] = process.env.TRACKER.split(" ");

// A page that makes a client of the bundle, without a server of anybody's to learn addresses from.
const PAGE = `<!doctype html><title>exchange</title><script type="module">
  import WebTorrent from "/webtorrent.js";
  globalThis.client = new WebTorrent({ dht: false, lsd: false, tracker: { rtcConfig: { iceServers: [] } } });
</script>`;

const server = createServer({ cert: readFileSync("tls.pem"), key: readFileSync("tls.key") }, ({ url }, response) => {
  const [type, body] = url === "/webtorrent.js" ? ["text/javascript", bundle] : ["text/html", PAGE];
  response.setHeader("Content-Type", type).end(body);
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const origin = `https://tracker.example:${server.address().port}`;

// Whom it trusts stands in the home of its user.
const env = { ...process.env, HOME: process.cwd() };
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: FLAGS, env });
try {
  const open = async () => {
    const context = await browser.newContext();
    context.setDefaultTimeout(PATIENCE_MS);
    const page = await context.newPage();
    page.on("pageerror", (error) => console.error(String(error.stack)));
    await page.goto(origin);
    await page.waitForFunction(() => globalThis.client);
    return page;
  };
  const seeder = await open();
  const magnet = await seeder.evaluate(([tracker, length]) => new Promise((resolve, reject) => {
    const octets = new Uint8Array(length).map((_, at) => (at * 7) ^ (at >> 8));
    client.on("error", reject);
    client.seed(new File([octets], "file"), { announce: [tracker] }, (torrent) => {
      torrent.once("trackerAnnounce", () => resolve(torrent.magnetURI));
    });
  }), [tracker, LENGTH]);
  const leecher = await open();
  const sum = await leecher.evaluate((magnet) => new Promise((resolve, reject) => {
    client.on("error", reject);
    client.add(magnet, (torrent) => torrent.once("done", async () => {
      const octets = new Uint8Array(await torrent.files[0].arrayBuffer());
      resolve([octets.length, octets.reduce((sum, octet) => (sum + octet) % 65521, 0)]);
    }));
  }), magnet.replace(encodeURIComponent(tracker), encodeURIComponent(other)));
  const expected = Uint8Array.from({ length: LENGTH }, (_, at) => (at * 7) ^ (at >> 8));
  assert.deepEqual(sum, [LENGTH, expected.reduce((sum, octet) => (sum + octet) % 65521, 0)]);
} finally {
  await browser.close();
  server.close();
}
