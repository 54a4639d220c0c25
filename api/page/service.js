// The service that this page is of: its documents, what it refuses, and where things lie.

export const root = new URL("..", import.meta.url);

/** A path of the service as an address, wherever a proxy has put it. */
export const place = (path) => new URL(path, root).href;

export class Refused extends Error {
  /** `status` is that of HTTP, 0 where nothing answered. */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** The JSON of a path, null where it has none. What is refused is thrown, in the words of the service. */
export async function ask(path, options = {}) {
  const headers = { Accept: "application/json", ...options.headers };
  let answer;
  try {
    answer = await fetch(place(path), { ...options, headers });
  } catch {
    options.signal?.throwIfAborted();
    throw new Refused("The service does not answer.", 0);
  }
  if (answer.status === 401) {
    await (await import("./signing.js")).signIn();
    return ask(path, options);
  }
  const document = await answer.json().catch(() => null);
  if (answer.ok && (document || answer.status === 204)) return document;
  const detail = document?.detail ?? document?.title;
  throw new Refused(detail ?? `The service answers ${answer.status} ${answer.statusText}.`, answer.status);
}

/** Ask by POST, with a body of JSON if there is one. */
export function post(path, body, headers = {}) {
  const said = { "Content-Type": "application/json", ...headers };
  return ask(path, { method: "POST", headers: said, body: JSON.stringify(body) });
}

/** A word that nobody else has; pages without TLS have no `crypto.randomUUID`. */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
