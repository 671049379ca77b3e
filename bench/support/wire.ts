import { connect, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';

/** A connection for load: plain HTTP/2, with windows that are never what a sender waits for. */
export async function openSession(address: string): Promise<ClientHttp2Session> {
  const window = 16 * 1024 * 1024;
  const session = connect(`http://${address}`, { settings: { initialWindowSize: window } });
  await new Promise<void>((resolve, reject) => {
    session.once('connect', () => resolve());
    session.once('error', reject);
  });
  session.setLocalWindowSize(window);
  return session;
}

export function openCall(
  session: ClientHttp2Session,
  path: string,
  token: string,
): ClientHttp2Stream {
  return session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    authorization: `Bearer ${token}`,
  });
}

/** Before a gRPC message: whether it is compressed, and its length. */
export const headBytes = 5;

/** A gRPC message as it stands on the wire: not compressed, and its length in four bytes. */
export function frame(body: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}

/** Takes bytes as they come and gives whole messages, without their headers. */
export function createUnframer(onMessage: (body: Buffer) => void): (chunk: Buffer) => void {
  let parts: Buffer[] = [];
  let length = 0;
  return (chunk) => {
    parts.push(chunk);
    length += chunk.length;
    if (length < 5 || (parts.length > 1 && length < needed(parts))) return;
    let bytes = parts.length === 1 ? chunk : Buffer.concat(parts);
    while (bytes.length >= 5 && bytes.length >= 5 + bytes.readUInt32BE(1)) {
      const end = 5 + bytes.readUInt32BE(1);
      onMessage(bytes.subarray(5, end));
      bytes = bytes.subarray(end);
    }
    parts = bytes.length > 0 ? [bytes] : [];
    ({ length } = bytes);
  };
}

function needed(parts: readonly Buffer[]): number {
  const [first] = parts;
  return first && first.length >= 5 ? 5 + first.readUInt32BE(1) : 5;
}

/**
 * The results in a StreamTransactionsResponse, without building them: field 1 (results) holds a
 * field 1 (created) or 2 (refusal). Decoding whole would cost the generator more than the daemon.
 */
export function countResults(body: Buffer): { done: number; refused: number } {
  const count = { done: 0, refused: 0 };
  for (let at = 0; at < body.length;) {
    if (body[at] !== 0x0a) throw new Error('a response holds something else than results');
    let length = 0;
    let shift = 0;
    let byte: number;
    do {
      at += 1;
      byte = body[at] ?? 0;
      length |= (byte & 0x7f) << shift;
      shift += 7;
    } while (byte >= 0x80);
    if (body[at + 1] === 0x0a) count.done += 1;
    else count.refused += 1;
    at += 1 + length;
  }
  return count;
}
