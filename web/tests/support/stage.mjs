// Shared by the stories of one file: a service, a browser, people.
import { after, before } from "node:test";
import { contextOf, launch } from "./browser.mjs";
import { Api, startService } from "./service.mjs";

/** Milliseconds after which a story has failed. */
const WATCHDOG = 20_000;

/**
 * Starts a service and a browser for the tests of a file.
 * @param {string[]} [options] Of the service.
 */
export function stage(options) {
  /** @type {Awaited<ReturnType<typeof startService>>} */
  let service;
  /** @type {import("playwright-core").Browser} */
  let browser;
  let people = 0;
  before(async () => {
    service = await startService(options);
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await service?.stop();
  });
  return {
    get base() {
      return service.base;
    },
    get browser() {
      return browser;
    },
    /** @param {string} name */
    person: (name) => Api.register(service.base, `${name}_${(people += 1)}`, name.charAt(0).toUpperCase() + name.slice(1)),
    /** @param {Api} person @param {import("playwright-core").BrowserContextOptions} [settings] */
    context: async (person, settings) => {
      const context = await contextOf(browser, person, settings);
      context.setDefaultTimeout(WATCHDOG);
      return context;
    },
    /** A visitor's browser. */
    visitor: async () => {
      const context = await browser.newContext({ baseURL: service.base, viewport: { width: 1280, height: 860 } });
      context.setDefaultTimeout(WATCHDOG);
      return context;
    },
  };
}

/**
 * Waits until a condition holds.
 * @template T
 * @param {() => T | Promise<T>} condition
 * @param {string} what For the message of a failure.
 * @returns {Promise<NonNullable<T>>}
 */
export async function until(condition, what) {
  const deadline = Date.now() + WATCHDOG;
  for (;;) {
    const value = await condition();
    if (value) return /** @type {NonNullable<T>} */ (value);
    if (Date.now() > deadline) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}

/** @param {import("playwright-core").Page} page */
export const texts = (page) => page.locator("article[data-post] .post-text").allTextContents();

/**
 * Publishes numbered posts, in order.
 * @param {Api} author @param {number} count @param {string} [word]
 */
export async function publishMany(author, count, word = "post") {
  for (let number = 1; number <= count; number += 1) await author.post(`${word} ${number}`);
}
