// Random ids, on plain HTTP too, where `crypto.randomUUID` is missing.

/** 128 random bits in hexadecimal. */
export function randomKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
