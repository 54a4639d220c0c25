// What the service's page uses of noble-hashes: browsers themselves sum up no file by pieces.
export { sha256 } from "@noble/hashes/sha2.js";
