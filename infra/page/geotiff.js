// What the page uses of geotiff.js.
export { addDecoder, BaseDecoder, fromBlob, fromUrl } from "geotiff";
