import type { ChannelModel } from 'amqplib';

const [methodFrame, headerFrame, bodyFrame, frameEnd] = [1, 2, 3, 0xce];
const levels = 15_000;

/**
 * Publishes a message with a header whose tables are nested as deeply as a frame of 128 KiB has
 * room for. Byte by byte, since no encoder of tables gets so deep.
 */
export async function publishDeepHeaders(
  connection: ChannelModel,
  queue: string,
  messageId: string,
  body: string,
): Promise<void> {
  const channel = await connection.createChannel();
  const { stream } = connection.connection as unknown as { stream: NodeJS.WritableStream };
  const { ch } = channel as unknown as { ch: number };
  const content = Buffer.from(body);
  const publish = Buffer.concat([words(60, 40, 0), shortText(''), shortText(queue), Buffer.of(0)]);
  // Headers, delivery mode and message id.
  const flags = 0x2000 | 0x1000 | 0x0080;
  const properties = [nestTables(levels), Buffer.of(2), shortText(messageId)];
  const size = Buffer.alloc(8);
  size.writeUInt32BE(content.length, 4);
  const header = Buffer.concat([words(60, 0), size, words(flags), ...properties]);
  stream.write(frame(methodFrame, ch, publish));
  stream.write(frame(headerFrame, ch, header));
  stream.write(frame(bodyFrame, ch, content));
  // Answered only after what was published before it.
  await channel.checkQueue(queue);
  await channel.close();
}

/** A table within a table, each under an empty name. */
function nestTables(count: number): Buffer {
  const entryBytes = 6;
  const table = Buffer.alloc(4 + count * entryBytes);
  table.writeUInt32BE(count * entryBytes);
  for (let i = 0; i < count; i += 1) {
    const at = 4 + i * entryBytes;
    table.write('F', at + 1, 'latin1');
    table.writeUInt32BE((count - i - 1) * entryBytes, at + 2);
  }
  return table;
}

function words(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 2);
  values.forEach((value, i) => bytes.writeUInt16BE(value, i * 2));
  return bytes;
}

const shortText = (text: string): Buffer =>
  Buffer.concat([Buffer.of(Buffer.byteLength(text)), Buffer.from(text)]);

function frame(type: number, channel: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(7);
  head.writeUInt8(type);
  head.writeUInt16BE(channel, 1);
  head.writeUInt32BE(payload.length, 3);
  return Buffer.concat([head, payload, Buffer.of(frameEnd)]);
}
