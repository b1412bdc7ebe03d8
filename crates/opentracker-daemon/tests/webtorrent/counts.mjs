// A client of `bittorrent-tracker` announces over each protocol of the tracker and scrapes over each, and
// finds one set of counts.

import assert from "node:assert/strict";
import { register } from "node:module";

// The client wants WebRTC to be there, and needs none as long as it makes no offer.
const stub = "data:text/javascript,export class RTCPeerConnection {} export class RTCSessionDescription {} export class RTCIceCandidate {}";
const packages = `file://${process.env.OPENTRACKER_NPM}/../`;
const hooks = `export const resolve = (specifier, context, next) => specifier === "webrtc-polyfill"
  ? { url: ${JSON.stringify(stub)}, shortCircuit: true }
  : next(specifier, specifier === "bittorrent-tracker" ? { ...context, parentURL: ${JSON.stringify(packages)} } : context);`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
const { default: Client } = await import("bittorrent-tracker");

const infoHash = "ab".repeat(20);
const urls = process.env.URLS.split(" ");

// What comes of an event of a client, unless it complains.
const next = (client, event) => new Promise((resolve, reject) => {
  for (const trouble of ["error", "warning"]) client.once(trouble, reject);
  client.once(event, resolve);
});

const clients = [];
for (const [number, url] of urls.entries()) {
  const peerId = Buffer.from(`-WW0208-${String(number).padStart(12, "0")}`);
  const client = new Client({ infoHash, peerId, announce: [url], port: 7000 + number });
  const announced = next(client, "update");
  // The first has all of it.
  const left = number === 0 ? 0 : 1;
  client.start({ left, numwant: 0 });
  const { complete, incomplete } = await announced;
  assert.deepEqual([complete, incomplete], [1, number], url);
  clients.push(client);
}

const everybody = async (expected) => {
  for (const client of clients) {
    const scraped = next(client, "scrape");
    client.scrape();
    const { complete, incomplete, downloaded, announce } = await scraped;
    assert.deepEqual([complete, incomplete, downloaded], expected, announce);
  }
};
await everybody([1, urls.length - 1, 0]);

// Each completes its download once, and it counts wherever one asks.
for (const client of clients.slice(1)) {
  const announced = next(client, "update");
  client.complete({ left: 0, numwant: 0 });
  await announced;
}
await everybody([urls.length, 0, urls.length - 1]);

const gone = next(clients[0], "update");
clients[0].stop();
await gone;
for (const client of clients) client.destroy();
process.exit(0);
