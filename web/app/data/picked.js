// The pictures chosen for a post.
import { signal, useSignal } from "@preact/signals";
import * as client from "../api/client.js";
import { Problem, explain } from "../api/problem.js";
import { randomKey } from "../ids.js";
import { load, save } from "../storage.js";
import { notify } from "../ui/notices.js";

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
const TYPES = ["image/jpeg", "image/png", "image/webp"];
const KNOWN = "tweeter.uploads";

/** Whether the service takes pictures; asked when the user begins to write. */
export const uploadsAvailable = signal(/** @type {"yes" | "no" | "unknown"} */ (load(localStorage, KNOWN) ?? "unknown"));

/** Asks the service whether it takes pictures, unless that is known. */
export async function probeUploads() {
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
      import("./uploads.js").then(async ({ uploadPicture, explainUpload }) => {
        try {
          change(id, { media_id: await uploadPicture(file, (progress) => change(id, { progress })), state: "ready" });
        } catch (error) {
          change(id, { state: "failed", reason: explainUpload(error) });
        }
      });
    }
  };
  return {
    picked: picked.value,
    probe: probeUploads,
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
