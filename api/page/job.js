// One job: how far it is while it runs, what it shows once it has ended.

import { buttonsFor } from "./actions.js";
import { ENDED, follow, pictured } from "./following.js";
import { growingOf } from "./growing.js";
import { ask, place } from "./service.js";
import { $, make, say } from "./shared/elements.js";
import { countOf, durationOf, subjectOf, whenOf } from "./words.js";

const VIEWER = "page"; // the product that shows all others

const ended = (status) => ENDED.has(status.status);

/** Show a job, and follow it. */
export function showJob(id, trouble) {
  const path = `jobs/${id}`;
  document.body.classList.add("one");
  $("job").hidden = false;
  $("title").textContent = `Job ${id.slice(0, 8)}`;
  ask(`${path}/inputs`).then(showInputs, () => {});
  const growing = growingOf(id, { shown: () => say($("nothing"), null), trouble });
  let last = null;

  function told(status) {
    if (status.status !== last) {
      $("actions").replaceChildren(...buttonsFor(status, begin, trouble));
      $("state").textContent = status.status;
      $("state").dataset.state = status.status;
    }
    last = status.status;
    $("message").textContent = status.message === status.status ? "" : status.message;
    $("progress").hidden = ended(status);
    $("progress").value = status.progress;
    $("pace").textContent = paceOf(status);
    say($("warnings"), (status.warnings ?? []).join(" "));
    say($("error"), !ended(status) && status.lastError ? `It went on after: ${status.lastError}` : null);
    document.title = `${ended(status) ? status.status : `${status.progress} %`} · ${$("title").textContent} · geogaze`;
    if (status.status === "successful") showResults(status.links);
    else leaveResults(status);
  }

  function leaveResults(status) {
    $("view").querySelector("iframe")?.remove();
    document.body.classList.remove("shown");
    for (const part of ["files", "so-far"]) $(part).hidden = true;
    const gone = status.status === "dismissed";
    if (gone) growing.end();
    else if (ended(status) && pictured(status)) growing.more(status.tilesDone); // no event will come
    say($("nothing"), gone ? "Its products are removed." : $("growing").hidden ? "Nothing to see yet." : null);
  }

  async function showResults(links) {
    if ($("view").querySelector("iframe")) return;
    say($("nothing"), null);
    try {
      const results = await ask(`${path}/results?transmissionMode=reference`);
      if (last !== "successful") return;
      growing.end();
      showFiles(path, results, links);
      if (results[VIEWER]) showViewer(`${path}/assets/${encodeURIComponent(results[VIEWER].title)}`);
      else showSheet(results.preview);
    } catch (refused) {
      trouble(refused.message);
    }
  }

  function showSheet(sheet) {
    $("so-far").src = place(`${path}/preview?seen=whole`);
    $("so-far").hidden = !sheet;
  }

  const begin = () => follow(id, { told, more: growing.more, trouble });
  begin();
}

function showInputs(inputs) {
  const { title, facts } = subjectOf(inputs);
  if (title) $("title").textContent = title;
  $("facts").textContent = facts;
  $("given").querySelector("pre").textContent = JSON.stringify(inputs, null, 1);
}

/** The viewer of the job's own folder: it reads what lies beside it, and its links stay its own. */
function showViewer(address) {
  $("so-far").hidden = true;
  document.body.classList.add("shown"); // it needs the width
  const frame = make("iframe", { src: place(address) + location.hash, title: "The job's layers on a map" });
  $("view").append(frame);
}

function showFiles(path, results, links) {
  const items = Object.values(results).map((file) => {
    const href = place(`${path}/assets/${file.title.split("/").map(encodeURIComponent).join("/")}`);
    return make("li", {}, make("a", { href }, file.title));
  });
  if (links.some((link) => link.rel === "service")) {
    const href = place(`${path}/features?f=html`);
    items.push(make("li", {}, make("a", { href }, "hotspots and tiles, for GIS clients")));
  }
  $("files").querySelector("ul").replaceChildren(...items);
  $("files").hidden = false;
}

function paceOf(status) {
  const words = [];
  if (status.tiles) words.push(`${status.tilesDone.toLocaleString("en")} of ${countOf(status.tiles, "tile")}`);
  if (status.tilesReused) words.push(`${status.tilesReused.toLocaleString("en")} from an earlier job`);
  if (status.tilesPerSecond) words.push(`${Number(status.tilesPerSecond.toPrecision(3))} a second`);
  if (status.secondsLeft) words.push(`about ${durationOf(status.secondsLeft)} left`);
  words.push(status.finished ? `ended ${whenOf(status.finished)}` : `submitted ${whenOf(status.created)}`);
  return words.join(" · ");
}
