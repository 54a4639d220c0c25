// The list of places above the threshold, largest first.

import { $, make } from "../shared/elements.js";
import { counted, exact } from "./figures.js";

export const MOST = 50; // rows: more are on the map

/** Fill the list: of `count` places the largest, `{ area, peak, at }` each, in words and numbers; `go` is told where somebody wants to go. */
export function listPlaces(places, count, go) {
  $("places").hidden = !places.length;
  const rows = places.map(({ area, peak, at }, i) =>
    make(
      "tr",
      {},
      make("td", {}, make("button", { type: "button", "aria-label": `Place ${i + 1}`, onclick: () => go(at) }, String(i + 1))),
      make("td", {}, area),
      make("td", {}, exact(Number(peak.toPrecision(3))).replace("-", "−")),
    ),
  );
  const head = make("tr", {}, ...["place", "area", "peak"].map((word) => make("th", { scope: "col" }, word)));
  const more = count - rows.length;
  $("places").querySelector("table").replaceChildren(
    ...(more > 0 ? [make("caption", {}, `The ${MOST} largest of ${counted(count)}`)] : []),
    make("thead", {}, head),
    make("tbody", {}, ...rows),
  );
}
