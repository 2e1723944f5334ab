// Templates: `html` makes Preact elements of tagged template literals, without a compile step.
import { h } from "preact";
import htm from "htm";

export const html = htm.bind(h);
