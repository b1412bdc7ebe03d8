// A Chromium with a fresh profile, what it complains of, and checks that more than one flow makes.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const modules = createRequire(`${process.env.OPENTRACKER_NPM}/`);
const { chromium } = modules("playwright-core");
const axe = readFileSync(modules.resolve("axe-core/axe.min.js"), "utf8");

const PATIENCE_MS = 30000;
const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

export const DESKTOP = { viewport: { width: 1280, height: 900 } };
export const PHONE = { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 };

// Opens a page, lets a flow go through it, and fails if the browser complained of anything that the
// flow does not expect.
export async function browse(url, options, flow) {
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: FLAGS });
  try {
    const context = await browser.newContext({ reducedMotion: "reduce", ...options });
    context.setDefaultTimeout(PATIENCE_MS);
    const page = await context.newPage();
    const complaints = [];
    page.on("pageerror", (error) => complaints.push(String(error.stack)));
    page.on("console", (message) => {
      // A refusal is no fault of the page: flows look at what it makes of it.
      if (message.type() === "error" && !/^Failed to load resource/.test(message.text())) complaints.push(message.text());
    });
    await page.addInitScript(axe);
    await page.goto(url);
    await flow(page);
    assert.deepEqual(complaints, []);
  } finally {
    await browser.close();
  }
}

// The text of an element becomes one that passes a test; returns it.
export async function textOf(page, selector, test = (text) => text !== "") {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const text = (await page.textContent(selector)).trim();
    if (test(text)) return text;
    assert.ok(Date.now() < deadline, `${selector} stays at ${JSON.stringify(text)}`);
    await page.waitForTimeout(50);
  }
}

export const number = (text) => Number(text.replaceAll(",", ""));

// Nothing serious or critical is in the way of those who use other means than eyes and a mouse.
export async function accessible(page, state) {
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  const grave = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  const found = grave.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html).join(" ")}`);
  assert.deepEqual(found, [], state);
}

// Nobody has to scroll sideways, and charts have found the width that is theirs.
export async function fits(page, state) {
  await page.waitForFunction(() => [...document.querySelectorAll(".plot")].every((plot) => {
    const drawn = plot.querySelector(".u-wrap");
    return !drawn || drawn.offsetWidth === plot.clientWidth;
  }));
  const needed = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(needed <= page.viewportSize().width, `${state}: it is ${needed} pixels wide`);
}

// Keeps a picture for the documentation, if one is wanted.
export async function picture(page, name, clip) {
  const folder = process.env.PICTURES;
  if (folder) await page.screenshot({ path: `${folder}/${name}.png`, clip, fullPage: true });
}
