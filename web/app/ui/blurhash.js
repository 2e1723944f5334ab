// Draws a blurhash (https://blurha.sh): a few cosines of colour, in base 83.

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~";

/** @param {string} text */
const decode83 = (text) => [...text].reduce((value, digit) => value * 83 + DIGITS.indexOf(digit), 0);

/** @param {number} value 0 to 255, in sRGB. */
function toLinear(value) {
  const share = value / 255;
  return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
}

/** @param {number} value Linear, 0 to 1. */
function toSrgb(value) {
  const share = Math.min(Math.max(value, 0), 1);
  return 255 * (share <= 0.0031308 ? share * 12.92 : 1.055 * share ** (1 / 2.4) - 0.055);
}

/**
 * The colours of the components: the average first.
 * @param {string} hash
 */
function components(hash) {
  const size = decode83(hash[0] ?? "");
  const columns = (size % 9) + 1;
  const rows = Math.floor(size / 9) + 1;
  const strongest = (decode83(hash[1] ?? "") + 1) / 166;
  const average = decode83(hash.slice(2, 6));
  const colours = [[average >> 16, (average >> 8) & 255, average & 255].map(toLinear)];
  for (let start = 6; start + 2 <= hash.length; start += 2) {
    const value = decode83(hash.slice(start, start + 2));
    const parts = [Math.floor(value / 361), Math.floor(value / 19) % 19, value % 19];
    colours.push(parts.map((part) => Math.sign(part - 9) * ((part - 9) / 9) ** 2 * strongest));
  }
  return { columns, rows, colours };
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {string} hash
 */
export function draw(canvas, hash) {
  const context = canvas.getContext("2d");
  if (!context || hash.length < 6) return;
  const { width, height } = canvas;
  const { columns, rows, colours } = components(hash);
  const pixels = context.createImageData(width, height);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const sum = [0, 0, 0];
      for (let index = 0; index < columns * rows; index += 1) {
        const column = index % columns;
        const row = Math.floor(index / columns);
        const weight = Math.cos((Math.PI * x * column) / width) * Math.cos((Math.PI * y * row) / height);
        colours[index]?.forEach((part, channel) => (sum[channel] = (sum[channel] ?? 0) + part * weight));
      }
      pixels.data.set([...sum.map(toSrgb), 255], 4 * (y * width + x));
    }
  }
  context.putImageData(pixels, 0, 0);
}
