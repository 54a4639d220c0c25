// What is looked at, in the address behind the #: a link shows the same to others.

const NUMBERS = new Set(["opacity", "threshold", "divider", "zoom"]);
const PLACES = new Set(["centre", "at"]);

/** What the address says, as parts of a state; what does not parse is left out. */
export function readLink(hash) {
  const state = {};
  for (const [name, text] of new URLSearchParams(hash.replace(/^#/, ""))) {
    const numbers = text.split(/[ ,]/).map(Number);
    const good = text !== "" && numbers.every(Number.isFinite);
    if (NUMBERS.has(name)) {
      if (good && numbers.length === 1) state[name] = numbers[0];
    } else if (PLACES.has(name)) {
      if (good && numbers.length === 2) state[name] = numbers;
    } else if (name === "polygon") {
      const ring = numbers.flatMap((x, i) => (i % 2 ? [] : [[x, numbers[i + 1]]]));
      if (good && numbers.length % 2 === 0 && ring.length >= 3) state.polygon = ring;
    } else {
      state[name] = text;
    }
  }
  return state;
}

/** The address of a state: what is as it is by itself is left out. */
export function writeLink(state, usual) {
  const link = new URLSearchParams();
  for (const [name, value] of Object.entries(state)) {
    if (value === null || value === undefined || value === usual[name]) continue;
    link.set(name, Array.isArray(value) ? value.flat().map(short).join(",") : short(value));
  }
  return `#${link}`.replaceAll("%2C", ",");
}

const short = (value) => (typeof value === "number" ? String(Number(value.toPrecision(12))) : value);
