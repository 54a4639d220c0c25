// Who is at work, for operators: a line for each worker, below the list of jobs.

import { ask, place } from "./service.js";
import { $, make } from "./shared/elements.js";
import { countOf } from "./words.js";

const EVERY = 5000; // ms between two looks while the list is open, and …
const SELDOM = 30000; // … while it is closed, for its title

/** Show the workers, and keep them as they are. Jobs of another `tenant` cannot be looked at. */
export async function showWorkers(tenant) {
  const box = $("workers");
  if (box.hidden) box.addEventListener("toggle", () => box.open && look(tenant));
  await look(tenant);
  setTimeout(() => showWorkers(tenant), box.open ? EVERY : SELDOM);
}

async function look(tenant) {
  if (document.hidden) return;
  const [box, title] = [$("workers"), $("workers-title")];
  try {
    const { workers } = await ask("workers");
    const units = workers.reduce((sum, worker) => sum + worker.units.length, 0);
    title.textContent = workers.length
      ? `${countOf(workers.length, "worker")}, ${countOf(units, "unit")} in hand`
      : "No worker is alive";
    $("workers-list").replaceChildren(...workers.map((worker) => lineOf(worker, tenant)));
  } catch (refused) {
    title.textContent = `Workers: ${refused.message}`;
    $("workers-list").replaceChildren();
  }
  box.hidden = false;
}

function lineOf(worker, tenant) {
  const about = [worker.device ?? "device unknown", worker.model, worker.version].filter(Boolean).join(" · ");
  const units = worker.units.map((unit) => {
    const [short, ours] = [unit.job.slice(0, 8), unit.tenant === tenant];
    const job = ours ? make("a", { href: place(`jobs/${unit.job}`) }, short) : short;
    return make("li", {}, job, ` ${wordsOf(unit)}${ours ? "" : ` of ${unit.tenant}`}`);
  });
  const idle = make("li", { class: "faint" }, "nothing in hand");
  return make("li", {}, `${worker.host} `, make("small", {}, about), make("ul", {}, ...(units.length ? units : [idle])));
}

function wordsOf({ phase, unit, attempt }) {
  return `${phase} ${unit}${attempt > 1 ? `, attempt ${attempt}` : ""}`;
}
