// A file of one's own on its way to the service, in parts: what is there already is not sent again.

import { ask, post } from "./service.js";
import { $, say } from "./shared/elements.js";
import { sha256 } from "./vendor/sha256.js";
import { bytesOf } from "./words.js";

const PIECE = 2 ** 22; // bytes summed up at once; the page stays awake between two
const PAUSES = [1, 2, 5, 10, 30]; // seconds before what got lost is sent again

const LATER = new Set([408, 429]); // what is refused for now

let stopping = null; // ends the upload in hand

/** Let files be chosen; `arrived` gets the address of each as a scene, `refused` what was wrong. */
export function takeFiles(arrived, refused) {
  const chosen = $("file");
  chosen.addEventListener("change", async () => {
    const [file] = chosen.files;
    if (!file) return;
    stopping?.abort();
    stopping = new AbortController();
    const { signal } = stopping;
    refused(null);
    $("upload").hidden = false;
    try {
      arrived(await upload(file, signal));
    } catch (error) {
      if (!signal.aborted) refused(error.message);
    }
    if (stopping.signal !== signal) return; // another file was chosen meanwhile
    $("upload").hidden = true;
    chosen.value = ""; // so that the same file may be chosen again, and goes on
  });
  $("stop").addEventListener("click", () => stopping?.abort());
}

async function upload(file, signal) {
  const sum = await sumOf(file, signal);
  let there = await post("uploads", { name: file.name, size: file.size, sha256: sum });
  let lost = 0;
  while (there.missing.length) {
    const before = there.received;
    const wrong = await sendSome(file, there, signal);
    there = await ask(`uploads/${there.id}`);
    if (there.received > before) lost = 0;
    else if (lost === PAUSES.length) throw wrong;
    else await new Promise((done) => setTimeout(done, PAUSES[lost++] * 1000));
    signal.throwIfAborted();
  }
  show("Checked by the service", file.size, file.size);
  return (await post(`uploads/${there.id}/complete`)).scene;
}

/** Send parts that are missing until one does not arrive; what then was wrong. */
async function sendSome(file, there, signal) {
  let sent = there.received * there.partSize;
  for (const { number, start, size } of there.missing) {
    show("Sent", Math.min(sent, file.size), file.size);
    try {
      const body = file.slice(start, start + size);
      await ask(`uploads/${there.id}/parts/${number}`, { method: "PUT", body, signal });
    } catch (error) {
      signal.throwIfAborted();
      if (error.status >= 400 && error.status < 500 && !LATER.has(error.status)) throw error;
      return error;
    }
    sent += size;
  }
  return new Error("The file does not arrive.");
}

async function sumOf(file, signal) {
  const sum = sha256.create();
  for (let start = 0; start < file.size; start += PIECE) {
    show("Read", start, file.size);
    sum.update(new Uint8Array(await file.slice(start, start + PIECE).arrayBuffer()));
    signal.throwIfAborted();
  }
  return [...sum.digest()].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function show(what, bytes, all) {
  $("sent").value = all ? bytes / all : 0;
  say($("sent-said"), `${what}: ${bytesOf(bytes)} of ${bytesOf(all)}`);
}
