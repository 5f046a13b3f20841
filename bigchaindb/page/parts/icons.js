// Line icons of 16 pixels.

import { svg } from "../dom.js";

const PATHS = {
  overview: "M2 13h12M3.5 10.5V8M6.5 10.5V5M9.5 10.5V7M12.5 10.5V3",
  blocks: "M2.5 2.5h4.5v4.5h-4.5zM9 2.5h4.5v4.5h-4.5zM2.5 9h4.5v4.5h-4.5zM9 9h4.5v4.5h-4.5z",
  assets: "M8 1.8l5.5 3.1v6.2l-5.5 3.1-5.5-3.1v-6.2zM2.5 4.9l5.5 3.1 5.5-3.1M8 8v6.2",
  delivery: "M2 8h8M7 4.5l3.5 3.5-3.5 3.5M13.5 3v10",
  network:
    "M8 5.5v2.5M8 8l-3.5 2.5M8 8l3.5 2.5M8 2.5a1.5 1.5 0 1 0 .01 0zM3.5 10.5a1.5 1.5 0 1 0 .01 0zM12.5 10.5a1.5 1.5 0 1 0 .01 0z",
  api: "M5.5 4l-3.5 4 3.5 4M10.5 4l3.5 4-3.5 4",
  search: "M7 2.5a4.5 4.5 0 1 0 .01 0zM10.3 10.3l3.7 3.7",
  key: "M5 6.5a3 3 0 1 0 .01 0zM7.5 8.3l6-4.8M11.2 5.3l1.7 2.1",
  theme: "M8 2.5a5.5 5.5 0 1 0 .01 0zM8 2.5v11",
  copy: "M5.5 5.5h8v8h-8zM10.5 3v-.5h-8v8h.5",
  close: "M4 4l8 8M12 4l-8 8",
};

/** @param {keyof typeof PATHS} name */
export function icon(name) {
  return svg(
    "svg",
    { class: "icon", viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true" },
    svg("path", { d: PATHS[name] }),
  );
}
