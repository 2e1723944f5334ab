// The real binary on a free port, with a temporary directory.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const BINARY = process.env.TWEETER_BINARY ?? fileURLToPath(new URL("../../../target/debug/tweeter", import.meta.url));
export const PASSWORD = "correct horse battery";

/**
 * @param {string[]} [options] More of the command line.
 * @returns {Promise<{ base: string, stop: () => Promise<void> }>}
 */
export async function startService(options = []) {
  const defaults = ["--ephemeral", "--listen", "127.0.0.1:0", "--metrics-listen", "off", "--rate-limits", "off"];
  const child = spawn(BINARY, [...defaults, "--log-format", "json", ...options], { stdio: ["ignore", "pipe", "pipe"] });
  /** @type {string[]} */
  const output = [];
  const base = await new Promise((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`the service ended with ${code}: ${output.join("\n")}`)));
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        output.push(line);
        const address = /API (?:is|are) at (http:\/\/[0-9.:]+)/.exec(line)?.[1];
        if (address) resolve(address);
      });
    }
  });
  child.removeAllListeners("exit");
  const stop = () =>
    new Promise((resolve) => {
      child.once("exit", () => resolve(undefined));
      child.kill("SIGTERM");
    });
  return { base: String(base), stop: /** @type {() => Promise<void>} */ (stop) };
}

/** A client of the API, for what a test does outside of the browser. */
export class Api {
  /** @param {string} base @param {{ access_token: string, refresh_token: string, user: any }} session */
  constructor(base, session) {
    this.base = base;
    this.session = session;
    this.handle = session.user.handle;
    this.userId = session.user.user_id;
  }

  /** @param {string} base @param {string} handle @param {string} [display_name] */
  static async register(base, handle, display_name = handle) {
    const body = { handle, display_name, email: `${handle}@example.org`, password: PASSWORD };
    return new Api(base, await call(base, "POST", "/v1/auth/register", body));
  }

  /** @param {string} method @param {string} path @param {unknown} [body] */
  call(method, path, body) {
    return call(this.base, method, path, body, this.session.access_token);
  }

  /** @param {string} text */
  post(text) {
    return this.call("POST", "/v1/posts", { text });
  }

  /** @param {Api} other */
  follow(other) {
    return this.call("PUT", `/v1/users/${other.userId}/follow`);
  }
}

/**
 * @param {string} base @param {string} method @param {string} path @param {unknown} [body] @param {string} [token]
 * @returns {Promise<any>}
 */
async function call(base, method, path, body, token) {
  const response = await fetch(base + path, {
    method,
    headers: {
      ...(body !== undefined && { "content-type": "application/json" }),
      ...(token && { authorization: `Bearer ${token}` }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return text === "" ? undefined : JSON.parse(text);
}
