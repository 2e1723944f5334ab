// Takes the pictures of docs/screenshots from `tweeter demo`. Needs a built binary and Chromium (scripts/check-browser).
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { launch } from "../tests/support/browser.mjs";

const BINARY = process.env.TWEETER_BINARY ?? fileURLToPath(new URL("../../target/debug/tweeter", import.meta.url));
const TARGET = process.argv[2] ?? fileURLToPath(new URL("../../docs/screenshots", import.meta.url));
const DESKTOP = { viewport: { width: 1280, height: 860 } };
const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };

mkdirSync(TARGET, { recursive: true });
const { base, stop } = await startDemo();
const browser = await launch();
await shoot("feed", DESKTOP, "/");
await shoot("dark", { ...DESKTOP, colorScheme: "dark" }, "/");
await shoot("post", DESKTOP, mostDiscussed);
await shoot("profile", DESKTOP, "/@maya");
await shoot("notifications", DESKTOP, "/notifications");
await shoot("phone", PHONE, "/");
await browser.close();
stop();

/** @returns {Promise<{ base: string, stop: () => void }>} */
async function startDemo() {
  const demo = spawn(BINARY, ["demo", "--listen", "127.0.0.1:0"], { stdio: ["ignore", "pipe", "inherit"] });
  for await (const line of createInterface({ input: demo.stdout })) {
    const address = /^Tweeter is at (\S+)/.exec(line)?.[1];
    if (address) return { base: address, stop: () => demo.kill("SIGTERM") };
  }
  throw new Error("the demo ended before it was ready");
}

/**
 * @param {string} name
 * @param {import("playwright-core").BrowserContextOptions} options
 * @param {string | ((page: import("playwright-core").Page) => Promise<string>)} path
 */
async function shoot(name, options, path) {
  const context = await browser.newContext({ ...options, baseURL: base, locale: "en-GB" });
  const page = await context.newPage();
  await page.goto("/login");
  await page.getByLabel("Handle or e-mail").fill("ada");
  await page.getByLabel("Password").fill("kingfisher");
  await page.getByRole("button", { name: "Log in" }).click();
  await page.locator("article[data-post]").first().waitFor();
  await page.goto(typeof path === "string" ? path : await path(page));
  await page.locator("[data-anchor]").first().waitFor();
  await page.waitForLoadState("networkidle", { timeout: 3_000 }).catch(() => {
    // The stream of events stays open.
  });
  await page.screenshot({ path: `${TARGET}/${name}.png`, animations: "disabled" });
  await context.close();
}

/**
 * The post of the feed's first page with the most comments.
 * @param {import("playwright-core").Page} page
 */
async function mostDiscussed(page) {
  const id = await page.locator("article[data-post]").evaluateAll((articles) => {
    const comments = (/** @type {Element} */ article) =>
      Number.parseInt(article.querySelector(".action-comment")?.getAttribute("aria-label") ?? "0", 10);
    return articles.toSorted((a, b) => comments(b) - comments(a))[0]?.getAttribute("data-post");
  });
  return `/posts/${id}`;
}
