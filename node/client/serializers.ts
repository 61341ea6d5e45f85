/** The codec of what the option `serializer` names. */
import type { ISerializer } from '../../index';
import type { Codec } from './codec';
import { JsonCodec } from './serializer-json';

export function codecOf(serializer: 'json' | ISerializer): Codec {
  if (serializer === 'json') return new JsonCodec();
  return {
    id: serializer.id,
    name: serializer.name,
    isJson: false,
    encode: (value) => serializer.serialize(value),
    decode: (bytes, start, end) => serializer.deserialize(bytes.subarray(start, end)),
    decodeText: (text) => serializer.deserialize(Buffer.from(text)),
  };
}
