// Build the libraries of pages, a job's and the service's, from what package.json pins:
// make page-libraries.
// Licences of all that is in them stand before the code, as every job's page is a copy of it.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const JOB = "../../geogaze/products/page/vendor";
const SERVICE = "../../api/page/vendor";

for (const [name, target, globalName, alias] of [
  ["sha256", SERVICE, undefined, {}],
  ["ol", JOB, "ol", {}],
  ["geotiff", JOB, "GeoTIFF", Object.fromEntries(["lerc", "pako", "zstddec", "zstddec/stream"].map((name) => [name, "./absent.js"]))],
]) {
  const { metafile, outputFiles } = await build({
    entryPoints: [`${name}.js`],
    alias,
    bundle: true,
    charset: "utf8",
    format: globalName ? "iife" : "esm",
    globalName,
    legalComments: "none",
    metafile: true,
    minify: true,
    target: "es2022",
    write: false,
  });
  const licences = packagesIn(Object.values(metafile.outputs)[0].inputs).map(licenceOf);
  const head = `/*!\n${licences.join("\n\n").replaceAll("*/", "* /")}\n*/\n`;
  mkdirSync(target, { recursive: true });
  writeFileSync(`${target}/${name}.js`, head + outputFiles[0].text);
}

/** Folders of the packages whose code is in a bundle. */
function packagesIn(inputs) {
  const used = Object.entries(inputs).filter(([, { bytesInOutput }]) => bytesInOutput > 0);
  const folders = used.map(([path]) => path.match(/^node_modules\/(?:@[^/]+\/)?[^/]+/)?.[0]);
  return [...new Set(folders.filter(Boolean))].sort();
}

function licenceOf(folder) {
  const { name, version, license } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"));
  const file = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one));
  const text = file ? readFileSync(`${folder}/${file}`, "utf8").trim() : `${license}`;
  const heading = `${name} ${version}, ${license}`;
  return license === "Apache-2.0" || license === "CC0-1.0" ? heading : `${heading}\n\n${text}`;
}
