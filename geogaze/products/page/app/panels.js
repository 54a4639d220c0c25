// Parts of panels beside the map.

import { make } from "../shared/elements.js";

/** The head of a panel: its title, and a button that closes it. */
export function headOf(title, close) {
  const button = make("button", { type: "button", class: "close", "aria-label": "Close", onclick: close }, "×");
  return make("div", { class: "head" }, make("h2", {}, title), button);
}

/** A bar of a share 0..1, orange where it is of what speaks against. */
export function barOf(share, against = false) {
  const width = `width: ${(100 * Math.min(1, Math.max(0, share))).toFixed(1)}%`;
  const bar = make("i", { style: width, class: against ? "against" : "" });
  return make("td", { class: "bar", "aria-hidden": "true" }, bar);
}
