// Lists in index.html the modules that the first view loads, so that the browser asks for all of them at once instead of
// following one import after another. `--check` fails if the list is stale.
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const START = "<!-- preloads: written by tools/preloads.mjs -->";
const END = "<!-- end of preloads -->";

const page = readFileSync(join(root, "index.html"), "utf8");
const map = JSON.parse(/<script type="importmap">([^]*?)<\/script>/.exec(page)?.[1] ?? "{}").imports;
const links = [...reachable("/app/main.js", new Set())].map((path) => `    <link rel="modulepreload" href="${path}" />`);
const [before, rest] = page.split(START);
const after = rest?.split(END)[1];
if (before === undefined || after === undefined) throw new Error("index.html has no place for the preloads");
const updated = `${before}${START}\n${links.join("\n")}\n    ${END}${after}`;
if (!process.argv.includes("--check")) {
  writeFileSync(join(root, "index.html"), updated);
} else if (updated !== page) {
  console.error("error: the preloads in web/index.html are stale; run `npm run preloads` in web/");
  process.exit(1);
}

/**
 * Adds the module and everything that it imports statically.
 * @param {string} path
 * @param {Set<string>} found
 */
function reachable(path, found) {
  if (found.has(path)) return found;
  found.add(path);
  const source = readFileSync(join(root, path), "utf8");
  for (const [, specifier = ""] of source.matchAll(/(?:^|[;}\s])(?:import|export)[^;"'()]*?from\s*["']([^"']+)["']/g)) {
    const target = specifier.startsWith(".") ? posix.join(dirname(path), specifier) : map[specifier];
    if (!target) throw new Error(`${path} imports ${specifier}, which the import map lacks`);
    reachable(target, found);
  }
  return found;
}
