// Stands for decoders of compressions that geogaze writes nothing in.
export default {};
export const ZSTDDecoder = undefined;
