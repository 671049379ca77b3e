// AMQP 0-9-1's frames of a publish (https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf, 2.3.5 and
// 4.2.6), as amqplib writes them; a test holds both equal.

/** What is written for one message. Names are ASCII, at most 255 long; the id is a UUID. */
export type Publication = {
  readonly exchange: string;
  readonly routingKey: string;
  readonly type: string;
  readonly isMandatory: boolean;
  readonly messageId: string;
  readonly text: string;
};

const frameEnd = 0xce;
export const frameOverhead = 8;
const idLength = 36;
/** Content type, headers, delivery mode, message id and type are given. */
const propertyFlags = 0x8000 | 0x2000 | 0x1000 | 0x0080 | 0x0020;
const noId = '0'.repeat(idLength);

/** The frames before the body's, and where in them the message's own values go. */
type Head = { readonly bytes: Buffer; readonly sizeAt: number; readonly idAt: number };

const heads = new Map<string, Head>();

/** All frames of these messages in one buffer, and each message's body in it. */
export function encodePublications(
  channel: number,
  publications: readonly Publication[],
): { readonly frames: Buffer; readonly bodies: readonly Buffer[] } {
  const sized = publications.map((publication) => {
    const size = Buffer.byteLength(publication.text);
    return { publication, size, head: headOf(channel, publication) };
  });
  const length = sized.reduce((sum, { head, size }) => {
    return sum + head.bytes.length + (size === 0 ? 0 : size + frameOverhead);
  }, 0);
  const frames = Buffer.allocUnsafe(length);
  let at = 0;
  const bodies = sized.map(({ publication, size, head }) => {
    head.bytes.copy(frames, at);
    frames.writeUInt32BE(size, at + head.sizeAt);
    frames.write(publication.messageId, at + head.idAt, 'latin1');
    at += head.bytes.length;
    // An empty body has no frame at all.
    if (size === 0) return frames.subarray(at, at);
    frames[at] = 3;
    frames.writeUInt16BE(channel, at + 1);
    frames.writeUInt32BE(size, at + 3);
    at += 7;
    frames.write(publication.text, at);
    const body = frames.subarray(at, at + size);
    at += size;
    frames[at] = frameEnd;
    at += 1;
    return body;
  });
  return { frames, bodies };
}

/** The same for all messages of a kind. */
function headOf(channel: number, publication: Publication): Head {
  const { exchange, routingKey, type, isMandatory } = publication;
  const name = `${channel} ${String(isMandatory)} ${exchange} ${routingKey} ${type}`;
  const known = heads.get(name);
  if (known) return known;
  const method = frame(1, channel, [
    uint16(60, 40, 0), // basic.publish, and a reserved field
    shortText(exchange),
    shortText(routingKey),
    Buffer.of(isMandatory ? 1 : 0),
  ]);
  const beforeId = [
    uint16(60, 0), // the properties of basic
    Buffer.alloc(8), // the body's size
    uint16(propertyFlags),
    shortText('application/json'),
    Buffer.alloc(4), // no headers
    Buffer.of(2), // persistent
  ];
  const properties = frame(2, channel, [...beforeId, shortText(noId), shortText(type)]);
  const head = {
    bytes: Buffer.concat([method, properties]),
    // The upper half of the size stays 0.
    sizeAt: method.length + 7 + 4 + 4,
    idAt: method.length + 7 + Buffer.concat(beforeId).length + 1,
  };
  heads.set(name, head);
  return head;
}

function frame(kind: number, channel: number, parts: readonly Buffer[]): Buffer {
  const payload = Buffer.concat(parts);
  const start = Buffer.alloc(7);
  start[0] = kind;
  start.writeUInt16BE(channel, 1);
  start.writeUInt32BE(payload.length, 3);
  return Buffer.concat([start, payload, Buffer.of(frameEnd)]);
}

const shortText = (text: string): Buffer =>
  Buffer.concat([Buffer.of(Buffer.byteLength(text)), Buffer.from(text)]);

const uint16 = (...values: readonly number[]): Buffer =>
  Buffer.from(values.flatMap((value) => [value >> 8, value & 0xff]));
