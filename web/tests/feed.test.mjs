// The feed: what arrives, what stays where it was.
import assert from "node:assert/strict";
import test from "node:test";
import { PASSWORD } from "./support/service.mjs";
import { publishMany, stage, texts, until } from "./support/stage.mjs";
import { complaintsOf } from "./support/browser.mjs";

const on = stage();

/** A reader with a feed of posts by one author. */
async function readerOf(/** @type {number} */ posts) {
  const [author, reader] = [await on.person("author"), await on.person("reader")];
  await reader.follow(author);
  await publishMany(author, posts);
  const page = await (await on.context(reader)).newPage();
  await until(async () => (await reader.call("GET", "/v1/feed?limit=1")).items[0]?.text === `post ${posts}`, "the posts arrive");
  return { author, reader, page };
}

/** The first post below the header, and where it is. */
const topPost = (/** @type {import("playwright-core").Page} */ page) =>
  page.evaluate(() => {
    for (const article of document.querySelectorAll("article[data-post]")) {
      const { top, bottom } = article.getBoundingClientRect();
      if (bottom > 60) return { id: article.getAttribute("data-post"), top: Math.round(top) };
    }
    return null;
  });

async function scrollTo(/** @type {import("playwright-core").Page} */ page, /** @type {string} */ text) {
  const find = (/** @type {string} */ wanted) => {
    const found = [...document.querySelectorAll(".post-text")].find((element) => element.textContent === wanted);
    found?.scrollIntoView({ block: "center" });
    return found !== undefined;
  };
  await page.mouse.move(640, 400);
  await until(async () => {
    if (await page.evaluate(find, text)) return true;
    await page.mouse.wheel(0, 2_000);
    return false;
  }, `${text} is read`);
}

async function assertSamePlace(/** @type {any} */ page, /** @type {any} */ before) {
  await until(async () => {
    const now = await topPost(page);
    return now !== null && now.id === before.id && Math.abs(now.top - before.top) <= 3;
  }, `the same post is at the top: ${JSON.stringify({ before, now: await topPost(page) })}`);
}

test("a newcomer registers, posts, and a follower sees it arrive", async () => {
  const context = await on.visitor();
  const page = await context.newPage();
  // A service without pictures says so when it is asked.
  const complaints = complaintsOf(page, /\/v1\/media/);
  await page.goto("/");
  await page.getByRole("link", { name: "Create an account" }).click();
  await page.getByLabel("Handle").fill("newcomer");
  await page.getByLabel("E-mail").fill("newcomer@example.org");
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Create account" }).click();
  await page.getByRole("heading", { name: "It’s quiet here, for now" }).waitFor();

  const bob = await on.person("bob");
  await bob.call("PUT", "/v1/users/@newcomer/follow");
  const other = await (await on.context(bob)).newPage();
  await other.goto("/");
  await other.getByRole("heading", { name: "It’s quiet here, for now" }).waitFor();

  await page.getByLabel("What’s happening?").fill("Hello from the weir");
  await page.getByRole("button", { name: "Post", exact: true }).click();
  await page.getByRole("feed").getByText("Hello from the weir").waitFor();
  await other.getByRole("button", { name: "1 new post" }).click();
  await other.getByRole("feed").getByText("Hello from the weir").waitFor();
  assert.deepEqual(complaints, []);
});

test("the scroll position is kept on back", async () => {
  const { page } = await readerOf(45);
  await page.goto("/");
  await scrollTo(page, "post 12");
  const before = await topPost(page);
  await page.getByText("post 12", { exact: true }).click();
  await page.getByRole("heading", { name: "Post", exact: true }).waitFor();
  await page.goBack();
  await assertSamePlace(page, before);
});

test("the scroll position is kept on reload", async () => {
  const { page, author } = await readerOf(45);
  await page.goto("/");
  await scrollTo(page, "post 12");
  const before = await topPost(page);
  await author.post("meanwhile");
  await page.reload();
  await assertSamePlace(page, before);
});

test("a reloaded profile is up to date", async () => {
  const author = await on.person("author");
  const gone = await author.post("deleted meanwhile");
  await publishMany(author, 3);
  const page = await (await on.context(author)).newPage();
  await page.goto(`/@${author.handle}`);
  await page.getByText("deleted meanwhile").waitFor();
  await author.call("DELETE", `/v1/posts/${gone.post_id}`);
  await author.post("post 4");
  await page.reload();
  await until(async () => (await texts(page)).join() === "post 4,post 3,post 2,post 1", "the list is up to date");
});

test("new posts move nothing until they are asked for", async () => {
  const { page, author } = await readerOf(25);
  await page.goto("/");
  await scrollTo(page, "post 14");
  const before = await topPost(page);
  await author.post("fresh one");
  await author.post("fresh two");
  const pill = page.getByRole("button", { name: "2 new posts" });
  await pill.waitFor();
  await assertSamePlace(page, before);
  await pill.click();
  assert.deepEqual((await texts(page)).slice(0, 3), ["fresh two", "fresh one", "post 25"]);
});

test("paging repeats and skips nothing while others post", async () => {
  const { page, author } = await readerOf(50);
  await page.goto("/");
  await page.getByText("post 50", { exact: true }).waitFor();
  await publishMany(author, 8, "while reading");
  await scrollTo(page, "post 1");
  const expected = Array.from({ length: 50 }, (_, index) => `post ${50 - index}`);
  const shown = await page.locator("article[data-post]").evaluateAll((articles) =>
    articles.map((article) => /(?:post|while reading) \d+/.exec(article.textContent ?? "")?.[0]),
  );
  assert.deepEqual(shown, expected);
});

test("more new posts than a page leave no gap", async () => {
  const { page, author } = await readerOf(22);
  await page.goto("/");
  await page.getByText("post 22", { exact: true }).waitFor();
  await publishMany(author, 25, "burst");
  await page.getByRole("button", { name: "20+ new posts" }).click();
  await until(async () => {
    const pill = page.locator(".pill");
    if ((await pill.count()) > 0) await pill.click();
    return (await texts(page))[0] === "burst 25";
  }, "the newest is shown");
  await scrollTo(page, "post 22");
  const all = await page.locator("article[data-post]").evaluateAll((articles) =>
    articles.map((article) => /(?:post|burst) \d+/.exec(article.textContent ?? "")?.[0]),
  );
  assert.deepEqual(all.slice(0, 26), [...Array.from({ length: 25 }, (_, index) => `burst ${25 - index}`), "post 22"]);
});

test("an unfollowed author leaves the feed", async () => {
  const { page, author } = await readerOf(2);
  await page.goto("/");
  await page.getByText("post 2", { exact: true }).waitFor();
  await page.getByRole("link", { name: "Author" }).first().click();
  await page.getByRole("button", { name: "Following Author. Unfollow" }).click();
  await page.getByRole("button", { name: "Follow Author" }).waitFor();
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Home", exact: true }).click();
  await page.getByRole("heading", { name: "It’s quiet here, for now" }).waitFor();
  assert.ok(author);
});

test("a feed of hundreds stays light and searchable", async () => {
  const { page } = await readerOf(160);
  await page.goto("/");
  await scrollTo(page, "post 1");
  await until(async () => (await page.locator(".post-far").count()) > 60, "far posts become plain");
  const nodes = await page.evaluate(() => document.querySelectorAll("*").length);
  assert.ok(nodes < 5_000, `${nodes} elements`);
  assert.equal(await page.evaluate(() => document.body.textContent?.includes("post 160")), true);
  await page.evaluate(() => window.scrollTo(0, 0));
  await page.locator("article:not(.post-far)", { hasText: "post 160" }).waitFor();
});
