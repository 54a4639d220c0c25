// Figures and times in words.

const UNITS = ["bytes", "kB", "MB", "GB", "TB"];

export function bytesOf(count) {
  const power = Math.min(UNITS.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, count)) / 3)));
  const value = count / 1000 ** power;
  return `${power ? Number(value.toPrecision(3)) : value} ${UNITS[power]}`;
}

export function durationOf(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${Number((seconds / 3600).toPrecision(2))} h`;
}

export const countOf = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

/** When something was: the time, with the day where it was another one. */
export function whenOf(text) {
  const then = new Date(text);
  const today = then.toDateString() === new Date().toDateString();
  const time = { hour: "2-digit", minute: "2-digit" };
  return then.toLocaleString([], today ? time : { month: "short", day: "numeric", ...time });
}

/** The last part of a path or link, without what is signed into it. */
export function nameOf(address) {
  const parts = address.split(/[?#]/)[0].split("/").filter(Boolean);
  return parts.at(-1) ?? address;
}

/** What a job is of, by its inputs: `{ title, model }`. */
export function subjectOf(inputs) {
  const scenes = [inputs.scene ?? []].flat();
  if (!scenes.length) return { title: "", facts: "" };
  const others = scenes.length > 1 ? ` and ${scenes.length - 1} more` : "";
  const classes = Array.isArray(inputs.classes) ? countOf(inputs.classes.length, "layer") : { top: "best classes" }[inputs.classes];
  return {
    title: nameOf(scenes[0]) + others,
    facts: [inputs.model, classes ?? "all classes", inputs.method].filter(Boolean).join(" · "),
  };
}
