// Adds up what a first visit loads, compressed as the binary serves it (brotli, quality 11), and fails above the bar.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants } from "node:zlib";

/** Bytes. */
const BAR = 60 * 1024;
const root = fileURLToPath(new URL("..", import.meta.url));
const options = { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } };

const page = readFileSync(`${root}index.html`, "utf8");
const links = [...page.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(([, path = ""]) => path);
const files = new Set(["/index.html", ...links]);
let total = 0;
for (const path of files) total += brotliCompressSync(readFileSync(root + path), options).length;
console.log(`first load: ${files.size} files, ${(total / 1024).toFixed(1)} KiB compressed (at most ${BAR / 1024})`);
if (total > BAR) process.exit(1);
