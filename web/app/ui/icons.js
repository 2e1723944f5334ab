// Icons as strokes on a grid of 24.
import { html } from "../html.js";

/** @type {Record<string, string>} */
const PATHS = {
  home: "M4 11.2 12 4.5l8 6.7M6 9.8V19a1 1 0 0 0 1 1h3.4v-5.2h3.2V20H17a1 1 0 0 0 1-1V9.8",
  bell: "M6.3 16.5V11a5.7 5.7 0 0 1 11.4 0v5.5l1.5 1.8H4.8zM10 20.8a2.2 2.2 0 0 0 4 0",
  user: "M12 12.2a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM4.8 20c.5-3.6 3.4-5.3 7.2-5.3s6.7 1.7 7.2 5.3",
  gear: "M12 15.2a3.2 3.2 0 1 0 0-6.4 3.2 3.2 0 0 0 0 6.4ZM12 3.5v2.6M12 17.9v2.6M3.5 12h2.6M17.9 12h2.6M6 6l1.8 1.8M16.2 16.2 18 18M6 18l1.8-1.8M16.2 7.8 18 6",
  pen: "m4.5 19.5 1-4.2L16.3 4.5a1.8 1.8 0 0 1 2.6 0l.6.6a1.8 1.8 0 0 1 0 2.6L8.7 18.5ZM14 6.8 17.2 10",
  heart: "M12 20S4.2 15.4 4.2 9.7A4.3 4.3 0 0 1 12 7.2a4.3 4.3 0 0 1 7.8 2.5C19.8 15.4 12 20 12 20Z",
  comment: "M12 19.3c-1.2 0-2.3-.2-3.3-.6L4.5 20l1.2-3.7A7.3 7.3 0 0 1 4.2 12c0-4.1 3.5-7.3 7.8-7.3s7.8 3.2 7.8 7.3-3.5 7.3-7.8 7.3Z",
  link: "M10 14a3.8 3.8 0 0 0 5.4 0l3-3A3.8 3.8 0 0 0 13 5.6l-.9.9M14 10a3.8 3.8 0 0 0-5.4 0l-3 3a3.8 3.8 0 0 0 5.4 5.4l.9-.9",
  more: "M5.5 12a.6.6 0 1 0 1.2 0 .6.6 0 1 0-1.2 0M11.4 12a.6.6 0 1 0 1.2 0 .6.6 0 1 0-1.2 0M17.3 12a.6.6 0 1 0 1.2 0 .6.6 0 1 0-1.2 0",
  contrast: "M12 20.2a8.2 8.2 0 1 0 0-16.4 8.2 8.2 0 0 0 0 16.4ZM12 3.8v16.4M12 8l5.5-2M12 12h8M12 16l5.5 2",
  key: "M8.5 19a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM11.5 12.5 19 5M16 8l2.5 2.5",
  screen: "M5 5.5h14a1 1 0 0 1 1 1v8.5a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1V6.5a1 1 0 0 1 1-1ZM9 19.5h6M12 16v3.5",
  trash: "M5 7h14M10 7V5h4v2M7 7l.8 12a1 1 0 0 0 1 .9h6.4a1 1 0 0 0 1-.9L17 7M10.3 10.8v5.4M13.7 10.8v5.4",
  back: "M19 12H5.5M11 6l-6 6 6 6",
  close: "m6 6 12 12M18 6 6 18",
  image: "M5 5h14a1 1 0 0 1 1 1v12a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1V6a1 1 0 0 1 1-1ZM4 16l4.5-4.5 4 4 2.5-2.5 5 5M15.5 9.3h.01",
  check: "m5 12.5 4.5 4.5L19 7.5",
  up: "M12 19V5.5M6 11l6-6 6 6",
  search: "M10.8 17.3a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13ZM15.6 15.6 20 20",
  wait: "M12 7v5l3 2M12 20.2a8.2 8.2 0 1 0 0-16.4 8.2 8.2 0 0 0 0 16.4Z",
  alert: "M12 8v5M12 16.3h.01M12 20.2a8.2 8.2 0 1 0 0-16.4 8.2 8.2 0 0 0 0 16.4Z",
  door: "M14 4.5H6.5a1 1 0 0 0-1 1v13a1 1 0 0 0 1 1H14M10.5 12H20M16.5 8.5 20 12l-3.5 3.5",
  download: "M12 4.5v10M7.5 10.5 12 15l4.5-4.5M5 19.5h14",
};

/**
 * @param {{ name: keyof typeof PATHS, filled?: boolean }} props
 */
export function Icon({ name, filled = false }) {
  return html`
    <svg class="icon ${filled ? "icon-filled" : ""}" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d=${PATHS[name]} />
    </svg>
  `;
}

/** The mark: a kingfisher looking left. */
export function Mark() {
  return html`
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <path class="mark-body" d="M8.5 11.5C8.5 7 12 4 16.2 4c6 0 11.3 5 11.3 13.5 0 3.2-.4 6.6-1.5 10.5-1-3-2.6-4.8-5-5.4-7-.3-12.2-4.8-12.2-11.1Z" />
      <path class="mark-beak" d="M9.2 8.8 1.5 12.6l7.4 1.6Z" />
      <path class="mark-breast" d="M9.3 14.3c1 4.7 5.2 8.1 11.7 8.3-1.7 1.5-3.7 2.3-5.9 2.3-4.6 0-7.5-3.7-7.5-8 0-1 .2-1.9.5-2.6Z" />
      <circle class="mark-eye" cx="14" cy="10" r="1.5" />
    </svg>
  `;
}
