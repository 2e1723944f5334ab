// Logging in, staying logged in, logging out: in one tab and in several.
import assert from "node:assert/strict";
import test from "node:test";
import { PASSWORD } from "./support/service.mjs";
import { stage, until } from "./support/stage.mjs";

const on = stage();

/** Makes the stored access token expire, as after 15 minutes; the refresh token stays. */
const expire = (/** @type {import("playwright-core").Page} */ page) =>
  page.evaluate(() => {
    const session = JSON.parse(localStorage.getItem("tweeter.session") ?? "");
    localStorage.setItem("tweeter.session", JSON.stringify({ ...session, access_token: "stale", expires_at: 0 }));
  });

const countRefreshes = (/** @type {import("playwright-core").BrowserContext} */ context) => {
  const count = { now: 0 };
  context.on("request", (request) => {
    if (request.url().endsWith("/v1/auth/refresh")) count.now += 1;
  });
  return count;
};

test("tabs refresh once and all stay logged in", async () => {
  const context = await on.context(await on.person("alice"));
  const first = await context.newPage();
  await first.goto("/settings");
  await expire(first);
  const refreshes = countRefreshes(context);
  const tabs = [first, await context.newPage(), await context.newPage()];
  await Promise.all(tabs.map((tab) => tab.goto("/")));
  await Promise.all(tabs.map((tab) => tab.getByRole("heading", { name: "It’s quiet here, for now" }).waitFor()));
  assert.equal(refreshes.now, 1);
});

test("a stale tab adopts the tokens of another", async () => {
  const alice = await on.person("alice");
  const context = await on.context(alice);
  const stale = await context.newPage();
  await stale.goto("/");
  await stale.getByRole("heading", { name: "It’s quiet here, for now" }).waitFor();
  // Another tab refreshed while this one slept and missed the message about it.
  const renewed = await alice.call("POST", "/v1/auth/refresh", { refresh_token: alice.session.refresh_token });
  await stale.evaluate((tokens) => {
    const session = JSON.parse(localStorage.getItem("tweeter.session") ?? "");
    localStorage.setItem("tweeter.session", JSON.stringify({ ...session, ...tokens, expires_at: Date.now() + 600_000 }));
  }, { access_token: renewed.access_token, refresh_token: renewed.refresh_token });
  const refreshes = countRefreshes(context);
  let isRejected = false;
  await stale.route("**/v1/users/me", (route) => {
    if (isRejected) return route.continue();
    isRejected = true;
    return route.fulfill({ status: 401, contentType: "application/problem+json", body: "{}" });
  });
  await stale.getByRole("link", { name: "Profile", exact: true }).click();
  await stale.getByText("No posts yet.").waitFor();
  assert.equal(isRejected, true);
  assert.equal(refreshes.now, 0);
});

test("an ended session asks for the log-in and returns", async () => {
  const alice = await on.person("alice");
  const page = await (await on.context(alice)).newPage();
  await page.goto(`/@${alice.handle}/followers`);
  await page.getByText("No followers yet.").waitFor();
  await alice.call("PUT", "/v1/users/me/password", { current: PASSWORD, new: "another password" });
  await expire(page);
  await page.reload();
  await page.getByText("Your session has ended. Log in again.").waitFor();
  await page.getByLabel("Handle or e-mail").fill(alice.handle);
  await page.getByLabel("Password").fill("another password");
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByText("No followers yet.").waitFor();
});

test("logging out logs out every tab", async () => {
  const context = await on.context(await on.person("alice"));
  const [first, second] = [await context.newPage(), await context.newPage()];
  await first.goto("/settings");
  await second.goto("/");
  await second.getByRole("feed").waitFor({ state: "attached" });
  await first.getByRole("button", { name: "Log out" }).click();
  await Promise.all([first, second].map((tab) => tab.getByRole("heading", { name: "Log in" }).waitFor()));
  assert.equal(await second.evaluate(() => localStorage.getItem("tweeter.session")), null);
});

test("errors stand at their fields", async () => {
  const taken = await on.person("taken");
  const page = await (await on.visitor()).newPage();
  await page.goto("/register");
  await page.getByLabel("Handle").fill(taken.handle);
  await page.getByLabel("E-mail").fill("fresh@example.org");
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Create account" }).click();
  await page.locator("#handle-error", { hasText: "Handle is already taken." }).waitFor();
  assert.equal(await page.getByLabel("Handle").getAttribute("aria-invalid"), "true");
  assert.equal(await page.evaluate(() => document.activeElement?.id), "handle-field");
  await page.getByLabel("Handle").fill("ab");
  await page.getByLabel("Password").fill("short");
  await page.getByRole("button", { name: "Create account" }).click();
  await page.locator("#password-error").waitFor();
  await page.locator("#handle-error").waitFor();
});

test("a wrong password is said and changes nothing", async () => {
  const alice = await on.person("alice");
  const page = await (await on.visitor()).newPage();
  await page.goto("/login");
  await page.getByLabel("Handle or e-mail").fill(`${alice.handle}@example.org`);
  await page.getByLabel("Password").fill("not the password");
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("alert").waitFor();
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("heading", { name: "Home" }).waitFor();
});

test("a changed password ends the session", async () => {
  const alice = await on.person("alice");
  const page = await (await on.context(alice)).newPage();
  await page.goto("/settings/password");
  await page.getByLabel("Current password").fill("wrong password");
  await page.getByLabel("New password").fill("another password");
  await page.getByRole("button", { name: "Change password" }).click();
  await page.getByText("This isn’t your password.").waitFor();
  await page.getByLabel("Current password").fill(PASSWORD);
  await page.getByRole("button", { name: "Change password" }).click();
  await page.getByRole("heading", { name: "Log in" }).waitFor();
  await alice.call("POST", "/v1/auth/login", { handle: alice.handle, password: "another password" });
});

test("another session can be ended", async () => {
  const alice = await on.person("alice");
  const other = await alice.call("POST", "/v1/auth/login", { handle: alice.handle, password: PASSWORD });
  const page = await (await on.context(alice)).newPage();
  await page.goto("/settings/sessions");
  await page.getByText("This one").waitFor();
  await page.getByRole("button", { name: /^End / }).click();
  await page.getByText("Session ended.").waitFor();
  await assert.rejects(alice.call("POST", "/v1/auth/refresh", { refresh_token: other.refresh_token }), /401/);
});

test("the export has every record as a file", async () => {
  const alice = await on.person("alice");
  await alice.post("kept for ever");
  const page = await (await on.context(alice)).newPage();
  await page.goto("/settings/data");
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Download" }).click()]);
  assert.equal(download.suggestedFilename(), `tweeter-${alice.handle}.json`);
  const chunks = [];
  for await (const chunk of await download.createReadStream()) chunks.push(chunk);
  const records = JSON.parse(Buffer.concat(chunks).toString());
  assert.ok(records.some((/** @type {any} */ record) => record.kind === "post" && record.text === "kept for ever"));
});

test("a deleted account is gone and says so", async () => {
  const alice = await on.person("alice");
  const page = await (await on.context(alice)).newPage();
  await page.goto("/settings/delete");
  await page.getByLabel("Password, to confirm").fill(PASSWORD);
  await page.getByRole("button", { name: "Delete my account" }).click();
  await page.getByText("Your account is deleted.").waitFor();
  await until(async () => {
    try {
      await alice.call("GET", "/v1/users/me");
      return false;
    } catch {
      return true;
    }
  }, "the token is refused");
});
