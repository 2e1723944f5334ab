// Pictures for a post: announced to the service, uploaded to its storage, then processed.
import { useSignal, signal } from "@preact/signals";
import * as client from "../api/client.js";
import { Problem, explain } from "../api/problem.js";
import { randomKey } from "../ids.js";
import { load, save } from "../storage.js";
import { notify } from "../ui/notices.js";

/** @import { MediaUpload } from "../../types/model.d.ts" */
/**
 * @typedef {object} Picked
 * @property {string} id
 * @property {string} preview
 * @property {number} progress 0 to 1.
 * @property {"uploading" | "ready" | "failed"} state
 * @property {string} media_id
 * @property {string} description
 * @property {string} reason
 */

/** Limits of the API's Media section. */
const MOST = 4;
const MAX_BYTES = 10 * 1024 * 1024;
const TYPES = ["image/jpeg", "image/png", "image/webp"];
const KNOWN = "tweeter.uploads";
const FIRST_LOOK = 300;
const LONGEST_PAUSE = 3_000;

/** Whether the service takes pictures; asked when someone begins to write. */
export const uploadsAvailable = signal(/** @type {"yes" | "no" | "unknown"} */ (load(localStorage, KNOWN) ?? "unknown"));

async function probe() {
  if (uploadsAvailable.peek() !== "unknown") return;
  uploadsAvailable.value = "no";
  try {
    await client.createMedia(/** @type {any} */ ({}));
  } catch (error) {
    // An empty request is invalid where the route exists.
    if (!(error instanceof Problem) || error.status !== 422) return;
    uploadsAvailable.value = "yes";
    save(localStorage, KNOWN, "yes");
  }
}

/** The pictures of one composer. */
export function usePictures() {
  const picked = useSignal(/** @type {Picked[]} */ ([]));
  const change = (/** @type {string} */ id, /** @type {Partial<Picked>} */ changes) => {
    picked.value = picked.value.map((picture) => (picture.id === id ? { ...picture, ...changes } : picture));
  };
  const add = (/** @type {File[]} */ files) => {
    const images = files.filter((file) => TYPES.includes(file.type));
    if (images.length < files.length) notify({ text: "Pictures are JPEG, PNG or WebP files.", tone: "bad" });
    if (picked.value.length + images.length > MOST) notify({ text: `A post has at most ${MOST} pictures.`, tone: "bad" });
    for (const file of images.slice(0, MOST - picked.value.length)) {
      const id = randomKey();
      const preview = URL.createObjectURL(file);
      const start = { id, preview, progress: 0, media_id: "", description: "", reason: "" };
      picked.value = [...picked.value, { ...start, state: /** @type {const} */ ("uploading") }];
      upload(file, (changes) => change(id, changes)).catch((error) =>
        change(id, { state: "failed", reason: error instanceof Refused ? error.message : explain(error) }),
      );
    }
  };
  return {
    picked: picked.value,
    probe,
    isBusy: picked.value.some((picture) => picture.state === "uploading"),
    ready: picked.value
      .filter((picture) => picture.state === "ready")
      .map(({ media_id, description }) => ({ media_id, description })),
    remove: (/** @type {string} */ id) => (picked.value = picked.value.filter((picture) => picture.id !== id)),
    clear: () => (picked.value = []),
    describe: async (/** @type {string} */ id, /** @type {string} */ description) => {
      const picture = picked.value.find((candidate) => candidate.id === id);
      change(id, { description });
      if (picture?.media_id) await client.describeMedia(picture.media_id, description).catch(report);
    },
    pick: (/** @type {any} */ event) => {
      add([...event.currentTarget.files]);
      event.currentTarget.value = "";
    },
    drops: {
      onDragOver: (/** @type {DragEvent} */ event) => event.preventDefault(),
      onDrop: (/** @type {DragEvent} */ event) => take(event, event.dataTransfer, add),
      onPaste: (/** @type {ClipboardEvent} */ event) => take(event, event.clipboardData, add),
    },
  };
}

/** @param {unknown} error */
function report(error) {
  notify({ text: `The description was not saved. ${explain(error)}`, tone: "bad" });
}

/**
 * @param {Event} event
 * @param {DataTransfer | null} data
 * @param {(files: File[]) => void} add
 */
function take(event, data, add) {
  const files = [...(data?.files ?? [])];
  if (files.length === 0) return;
  event.preventDefault();
  add(files);
}

/** A picture that cannot be posted, with the reason. */
class Refused extends Error {}

/**
 * @param {File} file
 * @param {(changes: Partial<Picked>) => void} change
 */
async function upload(file, change) {
  if (file.size > MAX_BYTES) throw new Refused("Larger than 10 MB.");
  const created = await client.createMedia({ content_type: file.type, bytes: file.size });
  await put(file, created.upload, (progress) => change({ progress }));
  change({ media_id: created.media_id, progress: 1 });
  for (let pause = FIRST_LOOK; ; pause = Math.min(pause * 1.5, LONGEST_PAUSE)) {
    const { state, reason } = await client.media(created.media_id);
    if (state === "ready") return change({ state });
    if (state === "rejected") throw new Refused(reason ?? "Not a picture that can be shown.");
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

/**
 * Sends the file to storage; only XMLHttpRequest reports progress.
 * @param {File} file
 * @param {MediaUpload["upload"]} target
 * @param {(share: number) => void} report
 * @returns {Promise<void>}
 */
function put(file, target, report) {
  return new Promise((resolve, reject) => {
    const transfer = new XMLHttpRequest();
    transfer.open(target.method, target.url);
    for (const [name, value] of Object.entries(target.headers)) {
      if (name.toLowerCase() !== "content-length") transfer.setRequestHeader(name, value);
    }
    transfer.upload.onprogress = ({ loaded, total }) => report(loaded / total);
    transfer.onload = () =>
      transfer.status < 300 ? resolve() : reject(new Refused("The upload was refused. Try again."));
    transfer.onerror = () => reject(new Refused("The upload broke off. Try again."));
    transfer.send(file);
  });
}
