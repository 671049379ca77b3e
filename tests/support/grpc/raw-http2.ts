import { connect, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';

import { ErrorInfo, Status } from '../../../protos/gen/digitalwallet/common/v1/error.ts';

/** A bare HTTP/2 client, for what no gRPC client would do. */
export type RawClient = {
  readonly session: ClientHttp2Session;
  /** Resolves when the connection is gone. */
  readonly closed: Promise<void>;
  /** Opens a call and sends these messages; the request is ended unless it `staysOpen`. */
  open(path: string, options?: RawOptions): ClientHttp2Stream;
  /** A whole call: the trailers, and how many bytes of answer there were. */
  call(path: string, options?: RawOptions): Promise<RawAnswer>;
  close(): void;
};

type RawOptions = {
  readonly messages?: readonly Buffer[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly staysOpen?: boolean;
};

export type RawAnswer = {
  /** `grpc-status`; undefined if the stream was cut. */
  readonly status: number | undefined;
  readonly message: string;
  readonly body: Buffer;
  readonly rstCode: number | undefined;
  /** `reason` and metadata of a refusal. */
  readonly info: ErrorInfo | undefined;
};

/**
 * `settings` are sent as the client's own, like `initialWindowSize: 0` for one that never reads.
 */
export function connectRaw(
  address: string,
  settings: Readonly<Record<string, number>> = {},
): RawClient {
  const session = connect(`http://${address}`, { settings });
  session.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => session.once('close', resolve));
  const open: RawClient['open'] = (path, { messages = [], headers = {}, staysOpen } = {}) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    });
    stream.on('error', () => undefined);
    for (const message of messages) stream.write(frame(message));
    if (!staysOpen) stream.end();
    return stream;
  };
  return {
    session,
    closed,
    open,
    call: (path, options) => readAnswer(open(path, options)),
    close: () => session.destroy(),
  };
}

export function readAnswer(stream: ClientHttp2Stream): Promise<RawAnswer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let end: Readonly<Record<string, string | string[] | undefined>> = {};
    const read = (name: string): string | undefined => end[name]?.toString();
    stream.on('response', (headers) => (end = stringsOf(headers)));
    stream.on('trailers', (headers: object) => (end = stringsOf(headers)));
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('close', () => {
      const status = read('grpc-status');
      resolve({
        status: status === undefined ? undefined : Number(status),
        message: decodeURI(read('grpc-message') ?? ''),
        body: Buffer.concat(chunks),
        rstCode: stream.rstCode,
        info: readInfo(read('grpc-status-details-bin')),
      });
    });
  });
}

function readInfo(details: string | undefined): ErrorInfo | undefined {
  const [any] = Status.decode(Buffer.from(details ?? '', 'base64')).details;
  return any && ErrorInfo.decode(any.value);
}

const stringsOf = (headers: object): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));

/** A message as gRPC sends it: not compressed, its length, its bytes. */
function frame(message: Buffer): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt32BE(message.length, 1);
  return Buffer.concat([header, message]);
}
