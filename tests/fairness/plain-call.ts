import type { ClientHttp2Session } from 'node:http2';

export type PlainAnswer = {
  /** `grpc-status`; undefined if the call was cut. */
  readonly status: number | undefined;
  readonly body: Buffer;
};

/** A message as gRPC sends it: not compressed, its length, its bytes. */
export function messageOf(bytes: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

/** The first message of an answer, without its head. */
export const readMessage = (body: Buffer): Buffer => body.subarray(5, 5 + body.readUInt32BE(1));

/** A unary call by HTTP/2 alone: cheap for who sends it, as an attacker would have it. */
export function callOnce(
  session: ClientHttp2Session,
  path: string,
  message: Buffer,
  token?: string,
): Promise<PlainAnswer> {
  return new Promise((resolve) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    });
    const chunks: Buffer[] = [];
    let status: number | undefined;
    const read = (headers: Readonly<Record<string, unknown>>): void => {
      const value = headers['grpc-status'];
      if (value !== undefined) status = Number(value);
    };
    stream.on('error', () => undefined);
    stream.on('response', (headers) => read(headers));
    stream.on('trailers', (headers: object) => read({ ...headers }));
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('close', () => resolve({ status, body: Buffer.concat(chunks) }));
    stream.end(message);
  });
}
