import { StringDecoder } from 'node:string_decoder';
import { TextDecoder } from 'node:util';

import { InputError } from './raw-row.ts';

/** So many bytes are enough to see the encoding of a text by. */
const neededBytes = 4;

/**
 * The text of bytes in UTF-8, or in UTF-16 where they begin with its byte order mark, as
 * spreadsheets write it. Throws InputError for UTF-16 without one.
 */
export async function* decodeText(input: AsyncIterable<Buffer>): AsyncIterable<string> {
  let first = Buffer.alloc(0);
  let decode: Decode | undefined;
  for await (const chunk of input) {
    if (decode) {
      yield decode(chunk, false);
      continue;
    }
    first = Buffer.concat([first, chunk]);
    if (first.length < neededBytes) continue;
    decode = chooseDecoder(first);
    yield decode(first, false);
  }
  if (decode) yield decode(Buffer.alloc(0), true);
  else yield chooseDecoder(first)(first, true);
}

type Decode = (bytes: Buffer, isLast: boolean) => string;

function chooseDecoder(first: Buffer): Decode {
  const [a, b] = first;
  if (a === 0xff && b === 0xfe) return decodeUtf16('utf-16le');
  if (a === 0xfe && b === 0xff) return decodeUtf16('utf-16be');
  if (first.length >= 2 && (a === 0) !== (b === 0)) {
    const encoding = b === 0 ? 'UTF-16LE' : 'UTF-16BE';
    throw new InputError(
      `the text is in ${encoding}, without a byte order mark`,
      `save it as UTF-8, or convert it: iconv -f ${encoding} -t UTF-8 FILE > NEW_FILE`,
    );
  }
  const decoder = new StringDecoder('utf8');
  return (bytes, isLast) => decoder.write(bytes) + (isLast ? decoder.end() : '');
}

function decodeUtf16(encoding: 'utf-16le' | 'utf-16be'): Decode {
  const decoder = new TextDecoder(encoding);
  return (bytes, isLast) => decoder.decode(bytes, { stream: !isLast });
}
