// Stands for decoders of compressions that geogaze writes nothing in, or that browsers have.
export default {};
export const ZSTDDecoder = undefined;
export const inflate = undefined;
