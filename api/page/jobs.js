// The list of jobs, newest first, as they go.

import { buttonsFor } from "./actions.js";
import { ENDED } from "./following.js";
import { ask, place } from "./service.js";
import { $, make, say } from "./shared/elements.js";
import { subjectOf, whenOf } from "./words.js";

const LIMIT = 20;
const [SOON, LATER] = [2000, 10000]; // ms between two looks, while a job is open and else

const offset = Math.max(0, Number.parseInt(new URLSearchParams(location.search).get("offset"), 10) || 0);
const rows = new Map(); // job to its row
const subjects = new Map(); // job to the promise of what it is of: inputs never change
let timer = null;

/** Show the list, and keep it as it is. */
export async function showJobs(trouble) {
  clearTimeout(timer);
  let open = false;
  try {
    const { jobs, links } = await ask(`jobs?limit=${LIMIT}&offset=${offset}`);
    fill(jobs, trouble);
    turnPages(links);
    open = jobs.some((job) => !ENDED.has(job.status));
    trouble(null);
  } catch (refused) {
    trouble(refused.message);
  }
  clearTimeout(timer);
  timer = setTimeout(() => document.hidden || showJobs(trouble), open ? SOON : LATER);
}

/** Look at once when the page is seen again. */
export function watchVisibility(trouble) {
  document.addEventListener("visibilitychange", () => document.hidden || showJobs(trouble));
}

function fill(jobs, trouble) {
  const list = $("list");
  $("none").hidden = jobs.length > 0;
  for (const [id, row] of rows) {
    if (jobs.some((job) => job.jobID === id)) continue;
    row.element.remove();
    rows.delete(id);
  }
  jobs.forEach((job, number) => {
    if (!rows.has(job.jobID)) rows.set(job.jobID, makeRow(job, trouble));
    const row = rows.get(job.jobID);
    if (list.children[number] !== row.element) list.insertBefore(row.element, list.children[number] ?? null);
    row.show(job);
  });
}

function makeRow({ jobID: id, processID, created }, trouble) {
  const picture = make("img", { alt: "", loading: "lazy", hidden: true });
  const title = make("a", { href: place(`jobs/${id}`) }, id.slice(0, 8));
  const facts = make("small");
  const state = make("span", { class: "state" });
  const message = make("span", { class: "message" });
  const progress = make("progress", { max: 100, "aria-label": "Progress" });
  const buttons = make("p", { class: "buttons" });
  const said = make("div", { class: "said" }, title, facts, make("p", {}, state, " ", message), progress);
  const element = make("li", {}, make("div", { class: "thumb" }, picture), said, buttons);
  subjectOfJob(id).then((subject) => {
    title.textContent = subject.title || processID;
    facts.textContent = [subject.facts, whenOf(created)].filter(Boolean).join(" · ");
  });
  let [last, shown] = ["", null];
  function show(job) {
    state.textContent = job.status;
    state.dataset.state = job.status;
    message.textContent = job.message === job.status ? "" : job.message;
    progress.value = job.progress;
    progress.hidden = ENDED.has(job.status);
    const pictured = job.links.some((link) => link.rel === "preview");
    const tag = `${job.tilesDone}${job.status === "successful" ? "-whole" : ""}`;
    if (pictured && tag !== shown) picture.src = place(`jobs/${id}/preview?seen=${tag}`);
    if (pictured) shown = tag;
    picture.hidden = !pictured;
    if (job.status === last) return; // buttons stay as they are, with the keyboard's focus
    last = job.status;
    const named = buttonsFor(job, () => showJobs(trouble), trouble);
    for (const button of named) button.setAttribute("aria-label", `${button.textContent} job ${title.textContent}`);
    buttons.replaceChildren(...named);
  }
  return { element, show };
}

function subjectOfJob(id) {
  if (!subjects.has(id)) subjects.set(id, ask(`jobs/${id}/inputs`).then(subjectOf, () => ({ title: "", facts: "" })));
  return subjects.get(id);
}

function turnPages(links) {
  const turn = (element, rel, to) => {
    element.hidden = !links.some((link) => link.rel === rel);
    element.href = to > 0 ? `?offset=${to}` : place(".");
  };
  turn($("newer"), "prev", offset - LIMIT);
  turn($("older"), "next", offset + LIMIT);
  $("pages").hidden = $("newer").hidden && $("older").hidden;
}
