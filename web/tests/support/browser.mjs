// Debian's Chromium, driven by playwright-core.
import { chromium } from "playwright-core";

const EXECUTABLE = process.env.CHROMIUM ?? "/usr/bin/chromium";
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export const launch = () => chromium.launch({ executablePath: EXECUTABLE, args: FLAGS });

/**
 * A person's browser, logged in.
 * @param {import("playwright-core").Browser} browser
 * @param {import("./service.mjs").Api} person
 * @param {import("playwright-core").BrowserContextOptions} [options]
 */
export async function contextOf(browser, person, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, baseURL: person.base, ...options });
  const { access_token, refresh_token, expires_in, user } = /** @type {any} */ (person.session);
  const session = {
    access_token,
    refresh_token,
    user_id: user.user_id,
    handle: user.handle,
    expires_at: Date.now() + expires_in * 1_000,
  };
  const page = await context.newPage();
  await page.goto("/icon.svg");
  await page.evaluate((value) => localStorage.setItem("tweeter.session", value), JSON.stringify(session));
  await page.close();
  return context;
}

/**
 * Collects what a page complains about: errors in scripts, violations of the policy, failed loads.
 * @param {import("playwright-core").Page} page
 * @param {RegExp} [expected] Complaints that the test provokes.
 */
export function complaintsOf(page, expected = /^$/) {
  /** @type {string[]} */
  const complaints = [];
  const add = (/** @type {string} */ text) => {
    if (!expected.test(text)) complaints.push(text);
  };
  page.on("pageerror", (error) => add(String(error.stack ?? error)));
  page.on("console", (message) => message.type() === "error" && add(`${message.text()} ${message.location().url}`));
  return complaints;
}
