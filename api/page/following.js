// A job as it goes: pushed by the service, asked for where that does not come through.

import { ask, place } from "./service.js";

export const ENDED = new Set(["successful", "failed", "dismissed"]);
const PAUSE = 2000; // ms between two questions
const PATIENCE = 8000; // ms that a stream may be silent at its beginning: a proxy may keep it back

/** Whether a unit of a job is done, so that there is something of it to see. */
export const pictured = (status) => status.links.some((link) => link.rel === "preview");

/**
 * Follow a job to its end.
 *
 * `told` gets its status whenever it has changed, `more` how many tiles are done each time that there
 * is more heat to see, and `trouble` a sentence while nothing can be heard, null when something is again.
 */
export function follow(job, { told, more, trouble }) {
  let [done, polls, tiles] = [false, false, 0];
  const source = new EventSource(place(`jobs/${job}/events`));
  const silent = setTimeout(poll, PATIENCE);

  function status(document) {
    if (done) return;
    trouble(null);
    done = ENDED.has(document.status);
    if (done) end();
    told(document);
  }

  function end() {
    clearTimeout(silent);
    source.close();
  }

  async function poll() {
    if (done || polls) return;
    polls = true;
    end();
    while (!done) {
      try {
        const document = await ask(`jobs/${job}`);
        status(document);
        if (pictured(document) && document.tilesDone > tiles) more((tiles = document.tilesDone));
      } catch (refused) {
        trouble(refused.message);
        if (refused.status >= 400 && refused.status < 500 && refused.status !== 429) return;
      }
      await new Promise((next) => setTimeout(next, PAUSE));
    }
  }

  source.addEventListener("status", (event) => {
    clearTimeout(silent);
    status(JSON.parse(event.data));
  });
  source.addEventListener("heat", (event) => more(JSON.parse(event.data).tiles));
  source.addEventListener("error", () => {
    if (done) return;
    if (source.readyState === EventSource.CLOSED) poll(); // refused: it does not come again by itself
    else trouble("The service does not answer; trying again.");
  });
}
