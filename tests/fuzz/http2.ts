import { connect, constants, type ClientHttp2Session, type OutgoingHttpHeaders } from 'node:http2';

import { ErrorInfo, Status } from '../../protos/gen/digitalwallet/common/v1/error.ts';

/** How a call ended on the wire; `code` is undefined where no gRPC status came. */
export type Ending = {
  readonly code: number | undefined;
  readonly message: string;
  /** Of google.rpc.ErrorInfo; empty where there was none. */
  readonly reason: string;
  readonly fault: string | undefined;
};

const timeoutMs = 20_000;

/** Bare HTTP/2 streams over a few connections, each renewed when it is lost. */
export type Http2 = {
  /** One stream with this body; `authorization` may be left to the headers. */
  send(path: string, body: Buffer, headers?: OutgoingHttpHeaders): Promise<Ending>;
  close(): void;
};

export function createHttp2(address: string, connections: number): Http2 {
  const sessions: (ClientHttp2Session | undefined)[] = [];
  let turn = 0;
  const sessionOf = (at: number): ClientHttp2Session => {
    const known = sessions[at];
    if (known && !known.closed && !known.destroyed) return known;
    const session = connect(`http://${address}`);
    session.setMaxListeners(0);
    session.on('error', () => undefined);
    session.on('goaway', () => session.close());
    sessions[at] = session;
    return session;
  };
  return {
    send: async (path, body, headers = {}) => {
      turn = (turn + 1) % connections;
      const first = await sendOnce(sessionOf(turn), path, body, headers);
      // A stream that was opened just when its connection ended was not processed.
      return first.fault === 'no stream' ? sendOnce(sessionOf(turn), path, body, headers) : first;
    },
    close: () => sessions.forEach((session) => session?.destroy()),
  };
}

function sendOnce(
  session: ClientHttp2Session,
  path: string,
  body: Buffer,
  headers: OutgoingHttpHeaders,
): Promise<Ending> {
  return new Promise((resolve) => {
    let trailers: Readonly<Record<string, unknown>> = {};
    let hasAnswer = false;
    let fault: string | undefined;
    let stream: ReturnType<ClientHttp2Session['request']>;
    try {
      stream = session.request({
        ':method': 'POST',
        ':path': path,
        'content-type': 'application/grpc',
        te: 'trailers',
        ...headers,
      });
    } catch {
      resolve({ code: undefined, message: '', reason: '', fault: 'no stream' });
      return;
    }
    const timer = setTimeout(() => {
      stream.close(constants.NGHTTP2_CANCEL);
      resolve({ code: undefined, message: '', reason: '', fault: 'no end' });
    }, timeoutMs);
    stream.on('response', (answer) => {
      hasAnswer = true;
      trailers = { ...answer };
    });
    stream.on('trailers', (ending: object) => {
      trailers = { ...trailers, ...ending };
    });
    stream.on('error', () => undefined);
    stream.on('data', () => undefined);
    stream.on('close', () => {
      clearTimeout(timer);
      if (!hasAnswer && stream.rstCode === constants.NGHTTP2_REFUSED_STREAM) fault ??= 'no stream';
      resolve({ ...readTrailers(trailers), fault });
    });
    stream.end(body);
  });
}

function readTrailers(trailers: Record<string, unknown>): Omit<Ending, 'fault'> {
  const code = trailers['grpc-status'] === undefined ? undefined : Number(trailers['grpc-status']);
  const text = trailers['grpc-message'];
  const message = typeof text === 'string' ? decodeURIComponentOr(text) : '';
  const details = trailers['grpc-status-details-bin'];
  if (typeof details !== 'string') return { code, message, reason: '' };
  const status = Status.decode(Buffer.from(details, 'base64'));
  const reason = ErrorInfo.decode(status.details[0]?.value ?? new Uint8Array()).reason;
  return { code, message, reason };
}

function decodeURIComponentOr(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** A gRPC message in its frame: a flag, four bytes of length, the bytes. */
export function frameOf(message: Buffer, flag = 0, length = message.length): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(flag & 0xff, 0);
  head.writeUInt32BE(length >>> 0, 1);
  return Buffer.concat([head, message]);
}
