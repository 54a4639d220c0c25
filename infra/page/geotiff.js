// What the page uses of geotiff.js.
export { fromBlob, fromUrl } from "geotiff";
