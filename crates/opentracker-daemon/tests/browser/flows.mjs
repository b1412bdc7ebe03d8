// The ways of people through the pages of a running tracker: `node flows.mjs FLOW`. Variables say
// where the page is (PAGE), the token (TOKEN), and a torrent that is announced (TORRENT).

import assert from "node:assert/strict";
import { DESKTOP, PHONE, accessible, browse, fits, number, picture, textOf } from "./browser.mjs";

const { PAGE, TOKEN, TORRENT, PICTURES } = process.env;

const isRate = (text) => number(text) > 0;
const colourOf = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);

// A picture shows a minute of what happens.
const settle = (page) => (PICTURES ? page.waitForTimeout(75000) : textOf(page, "#announces", isRate));

async function unlock(page, token = TOKEN) {
  await page.fill("#token", token);
  await page.press("#token", "Enter");
}

async function confirm(page) {
  await page.waitForSelector("#confirm[open]");
  await page.click("#confirm-yes");
  await page.waitForSelector("#confirm:not([open])", { state: "attached" });
}

const flows = {
  async figures(page) {
    await textOf(page, "#announces", isRate);
    const before = number(await textOf(page, "#torrents", isRate));
    await textOf(page, "#torrents", (text) => number(text) > before);
    await textOf(page, "#announces-of", (text) => /^UDP [1-9].*, HTTP [1-9].*, WebTorrent [1-9]/.test(text));
    await textOf(page, "#state", (text) => text === "Serving");
    await page.waitForFunction(() => document.querySelectorAll("#charts canvas").length === 6);
    const label = () => page.getAttribute("#charts .plot", "aria-label");
    assert.match(await label(), /^Announces per second: UDP [\d,.]+, HTTP [\d,.]+, WebTorrent [\d,.]+$/);
    await textOf(page, "#charts figure:nth-child(2) .legend", (text) => /served .*denied/.test(text));
    await page.click("#charts figure:first-child summary");
    await textOf(page, "#charts figure:first-child tbody tr");
    await page.waitForSelector("#top tr");
    await textOf(page, "#clients", (text) => /qBittorrent/.test(text));
    await page.waitForSelector("#cluster", { state: "hidden" });
    await textOf(page, "#about", (text) => /process \d+, tracker id [0-9a-f]{8}/.test(text));
    await accessible(page, "figures");
  },

  // It ends with a torrent that is blocked.
  async block(page) {
    await page.click(`#top button:text("${TORRENT}")`);
    await textOf(page, "#result", (text) => text === "Enter the token first.");
    await unlock(page, "not the token, but as long");
    await textOf(page, "#result", (text) => /does not take this token/.test(text));
    await unlock(page);
    await page.waitForSelector("#operate:not([hidden])");
    await textOf(page, "#blocks-note", (text) => text === "None.");
    await page.fill("#hash", "not a hash");
    await page.press("#hash", "Enter");
    await textOf(page, "#result", (text) => /40 hexadecimal digits/.test(text));
    await page.fill("#hash", `magnet:?xt=urn:btih:${TORRENT.toUpperCase()}&dn=a`);
    await page.press("#hash", "Enter");
    await textOf(page, "#torrent-facts", (text) => /Verdictserved/.test(text));
    await accessible(page, "a torrent");
    await page.fill("#note", "notice 2026-117");
    await page.click("#block");
    await textOf(page, "#confirm-text", (text) => text.includes(TORRENT));
    await accessible(page, "a question");
    await page.keyboard.press("Escape");
    assert.equal(await page.textContent("#torrent-facts dd"), "served");
    await page.click("#block");
    await confirm(page);
    await textOf(page, "#result", (text) => /is blocked; [1-9][\d,]* peers? forgotten/.test(text));
    await textOf(page, "#torrent-facts", (text) => /Verdictblocked by hand/.test(text));
    await textOf(page, "#blocks", (text) => text.includes(TORRENT) && text.includes("notice 2026-117"));
    await accessible(page, "a block");
    await page.click("#blocks button");
    await confirm(page);
    await textOf(page, "#result", (text) => /is not blocked any more; it is served/.test(text));
    await textOf(page, "#blocks-note", (text) => text === "None.");
    await page.click("#block");
    await confirm(page);
    await textOf(page, "#torrent-facts", (text) => /Verdictblocked by hand/.test(text));
    await page.waitForSelector(`#top button:text("${TORRENT}")`, { state: "detached" });
    // The token is gone with the tab.
    assert.equal(await page.evaluate(() => localStorage.length), 0);
  },

  async keyboard(page) {
    await textOf(page, "#announces", isRate);
    await page.waitForSelector("#top tr");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.id), "figures");
    await reachesEverything(page);
    await page.focus("#token");
    await page.keyboard.type(TOKEN);
    await page.keyboard.press("Enter");
    await page.waitForSelector("#operate:not([hidden])");
    assert.equal(await page.evaluate(() => document.activeElement.id), "hash");
    await reachesEverything(page);
    await page.focus("#drain");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#confirm[open]");
    assert.equal(await page.evaluate(() => document.activeElement.id), "confirm-no");
    await page.keyboard.press("Escape");
    await page.waitForSelector("#confirm:not([open])", { state: "attached" });
    assert.equal(await page.evaluate(() => document.activeElement.id), "drain");
    for (const state of ["Draining", "Serving"]) {
      await page.keyboard.press("Enter");
      await page.waitForSelector("#confirm[open]");
      await page.keyboard.press("Tab");
      await page.keyboard.press("Enter");
      await textOf(page, "#state", (text) => text === state);
      await page.waitForFunction(() => document.activeElement.id === "drain");
      await accessible(page, state);
    }
    await page.keyboard.press("Control+Home");
    await page.focus("input[name=span]");
    await page.keyboard.press("ArrowRight");
    await page.waitForSelector("#charts.days");
  },

  async orders(page) {
    await unlock(page);
    await page.click("#reload");
    await confirm(page);
    await textOf(page, "#result", (text) => /^Reloaded/.test(text));
    await page.click("#snapshot");
    await confirm(page);
    await textOf(page, "#result", (text) => /\/swarms has [1-9][\d,]* torrents/.test(text));
    // A question that is dropped and put again at once is answered by what is said then.
    await page.evaluate(() => {
      const press = (id) => document.getElementById(id).click();
      press("drain");
      document.getElementById("confirm").close("");
      press("drain");
    });
    await confirm(page);
    await textOf(page, "#state", (text) => text === "Draining");
    await page.click("#lock");
    await page.waitForSelector("#token");
    assert.equal(await page.evaluate(() => sessionStorage.length), 0);
  },

  async phone(page) {
    await settle(page);
    await page.waitForSelector("#top tr");
    await fits(page, "figures");
    await picture(page, "dashboard-phone", { x: 0, y: 0, width: 360, height: 1180 });
    for (const summary of await page.$$("#charts summary")) await summary.click();
    await fits(page, "tables");
    await page.check("input[name=order][value=by_seeders]", { force: true });
    await unlock(page);
    await page.waitForSelector("#operate:not([hidden])");
    await page.fill("#hash", TORRENT);
    await page.press("#hash", "Enter");
    await textOf(page, "#torrent-facts", (text) => /Verdict/.test(text));
    await fits(page, "a torrent");
    await page.click("#block:visible");
    await page.waitForSelector("#confirm[open]");
    await fits(page, "a question");
    await accessible(page, "phone");
  },

  async light(page) {
    await settle(page);
    await page.waitForSelector("#top tr");
    const light = await colourOf(page);
    await accessible(page, "light");
    await picture(page, "dashboard-light", { x: 0, y: 0, width: 1280, height: 1330 });
    await page.selectOption("#theme", "dark");
    assert.notEqual(await colourOf(page), light);
    await accessible(page, "dark by choice");
    await page.reload();
    assert.notEqual(await colourOf(page), light, "the choice is kept");
    await page.selectOption("#theme", "");
    assert.equal(await colourOf(page), light);
  },

  async dark(page) {
    await textOf(page, "#announces", isRate);
    await page.waitForSelector("#top tr");
    await accessible(page, "dark");
    const dark = await colourOf(page);
    // Of the week that was, one day is shown.
    await page.check("input[name=span][value=day]", { force: true });
    const peers = "#charts figure:nth-child(4)";
    const rows = () => page.textContent(`${peers} tbody`);
    await page.click(`${peers} summary`);
    // A tracker that began now would have one.
    await page.waitForFunction((selector) => document.querySelectorAll(`${selector} tbody tr`).length >= 12, peers);
    const day = await rows();
    await page.check("input[name=span][value=week]", { force: true });
    await page.waitForFunction(([selector, before]) => document.querySelector(selector).textContent !== before, [`${peers} tbody`, day]);
    await page.click(`${peers} summary`);
    await accessible(page, "seven days");
    if (PICTURES) await settle(page);
    await picture(page, "dashboard-dark", { x: 0, y: 0, width: 1280, height: 1330 });
    await page.selectOption("#theme", "light");
    assert.notEqual(await colourOf(page), dark);
  },

  async trouble(page) {
    await textOf(page, "#announces", isRate);
    await page.waitForSelector("#alert", { state: "hidden" });
    await page.context().setOffline(true);
    await textOf(page, "#alert", (text) => /does not answer/.test(text));
    await textOf(page, "#state", (text) => text === "No answer");
    await accessible(page, "no answer");
    await page.context().setOffline(false);
    await page.waitForSelector("#alert", { state: "hidden" });
    await page.route("**/api/v1/activity", (route) => route.fulfill({ status: 403, body: "access denied\n" }));
    await textOf(page, "#alert", (text) => /^Access denied/.test(text));
    await accessible(page, "denied");
  },

  // A cluster takes more hosts than one: the page is told of it here.
  async cluster(page) {
    const node = { torrents: 41000, packets: 1234567, applied: 7654321, dropped: 2 };
    const heard = { address: "192.0.2.7", tracker_id: "0000a1b2", heard_secs_ago: 0.4, lag_secs: 0.012, is_split: true, carriers: ["unicast", "nats"], key: "3f83247a", clock_ahead_secs: -3, ...node };
    const silent = { address: null, tracker_id: null, heard_secs_ago: null, lag_secs: null, is_split: false, carriers: [], key: null, clock_ahead_secs: null, ...node };
    const cluster = { tracker_id: "7af04d98", is_joined: false, carriers: [], keys: [], nodes: [heard, silent] };
    await page.route("**/api/v1/cluster", (route) => route.fulfill({ json: cluster }));
    await page.reload();
    await textOf(page, "#nodes tr:first-child", (text) => /192\.0\.2\.7.*unicast, nats \(silent on others\).*400 ms ago.*12\.0 ms.*−3 s.*41,000.*1,234,567/.test(text));
    await textOf(page, "#nodes tr:last-child", (text) => /never/.test(text));
    await textOf(page, "#cluster-note", (text) => /does not take part.*2 other nodes/.test(text));
    await accessible(page, "cluster");
    await page.setViewportSize(PHONE.viewport);
    await fits(page, "cluster");
    await page.route("**/api/v1/cluster", (route) => route.fulfill({ status: 403, json: {} }));
    await page.waitForSelector("#cluster", { state: "hidden" });
  },

  async hidden(page) {
    await page.clock.install();
    await page.reload();
    await page.clock.runFor(10000);
    await textOf(page, "#torrents", isRate);
    await page.evaluate(() => {
      Object.defineProperty(document, "hidden", { configurable: true, get: () => true });
      document.dispatchEvent(new Event("visibilitychange"));
    });
    await page.waitForLoadState("networkidle");
    let asked = 0;
    page.on("request", () => { asked += 1; });
    await page.clock.runFor(60000);
    assert.equal(asked, 0, "nobody sees the page");
    await page.evaluate(() => {
      Object.defineProperty(document, "hidden", { configurable: true, get: () => false });
      document.dispatchEvent(new Event("visibilitychange"));
    });
    await page.waitForRequest(/activity$/);
  },

  async public(page) {
    const codes = await page.locator("li code").allTextContents();
    assert.equal(codes.length, 2);
    assert.match(codes[0], /^udp:\/\/127\.0\.0\.1:\d+\/announce$/);
    assert.match(codes[1], /^http:\/\/127\.0\.0\.1:\d+\/announce$/);
    const light = await colourOf(page);
    await accessible(page, "public page");
    await page.emulateMedia({ colorScheme: "dark" });
    assert.notEqual(await colourOf(page), light);
    await accessible(page, "dark public page");
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await textOf(page, "#said", (text) => text === "Copied.");
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), codes[0]);
    await page.setViewportSize(PHONE.viewport);
    await fits(page, "public page");
    await browse(PAGE, { ...DESKTOP, javaScriptEnabled: false }, async (plain) => {
      assert.deepEqual(await plain.locator("li code").allTextContents(), codes);
      assert.equal(await plain.locator("button:visible").count(), 0);
    });
  },
};

// Every control that is seen has the focus once on a way of tabs, and shows it.
async function reachesEverything(page) {
  const wanted = await page.evaluate(() => {
    const controls = [...document.querySelectorAll("a[href], button, input, select, summary, [tabindex='0']")];
    const seen = controls.filter((control) => control.checkVisibility() && !control.disabled && !(control.type === "radio" && !control.checked));
    seen.forEach((control, index) => { control.dataset.control = index; });
    return seen.length;
  });
  const reached = new Set();
  await page.evaluate(() => document.activeElement.blur());
  for (let steps = 0; steps < 2 * wanted && reached.size < wanted; steps += 1) {
    await page.keyboard.press("Tab");
    const [control, isShown, name] = await page.evaluate(() => {
      const focused = document.activeElement;
      const shows = [focused, focused.nextElementSibling].filter(Boolean);
      return [focused.dataset.control, shows.some((node) => getComputedStyle(node).outlineStyle !== "none"), focused.outerHTML.slice(0, 80)];
    });
    if (control == null) continue;
    assert.ok(isShown, `nobody sees that ${name} has the focus`);
    reached.add(control);
  }
  assert.equal(reached.size, wanted, "controls that tabs reach");
}

const OPTIONS = { phone: PHONE, dark: { ...DESKTOP, colorScheme: "dark" } };
const name = process.argv[2];
await browse(PAGE, OPTIONS[name] ?? DESKTOP, flows[name]);
