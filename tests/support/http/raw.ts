import { connect, type Socket } from 'node:net';

export type RawAnswer = {
  readonly status: number;
  /** By name in lower case; those given twice are joined. */
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  /** Of JSON; otherwise empty. */
  readonly body: Readonly<Record<string, unknown>>;
};

type Parsed = { readonly answer: RawAnswer; readonly length: number };

/** A connection whose bytes are written as they are. */
export type RawConnection = {
  readonly socket: Socket;
  write(bytes: string | Buffer): void;
  /** The next answer; undefined once the server has closed the connection. */
  next(): Promise<RawAnswer | undefined>;
  /** Everything up to the end of the connection. */
  rest(): Promise<RawAnswer[]>;
  /** What came and is no whole answer. */
  left(): string;
  close(): void;
};

/**
 * `methods`: of the requests, in order, where one of them is HEAD: its answer has no body.
 */
export function openRaw(port: number, methods: readonly string[] = []): RawConnection {
  const socket = connect(port, '127.0.0.1');
  let received: Buffer = Buffer.alloc(0);
  let isEnded = false;
  let count = 0;
  let wake = (): void => undefined;
  const onEnd = (): void => {
    isEnded = true;
    wake();
  };
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    wake();
  });
  socket.on('error', onEnd).on('end', onEnd).on('close', onEnd);
  const take = (): RawAnswer | undefined => {
    const parsed = parseAnswer(received, methods[count] === 'HEAD');
    if (!parsed) return undefined;
    received = received.subarray(parsed.length);
    // 100 Continue comes before the answer.
    if (parsed.answer.status >= 200) count += 1;
    return parsed.answer;
  };
  const next = async (): Promise<RawAnswer | undefined> => {
    for (;;) {
      const answer = take();
      if (answer) return answer;
      if (isEnded) return undefined;
      await new Promise<void>((resolve) => (wake = resolve));
    }
  };
  return {
    socket,
    write: (bytes) => void socket.write(bytes),
    next,
    rest: async () => {
      const answers: RawAnswer[] = [];
      for (let answer = await next(); answer; answer = await next()) answers.push(answer);
      return answers;
    },
    left: () => received.toString('latin1'),
    close: () => void socket.destroy(),
  };
}

/** Sends bytes on a connection of their own; the first answer that is not `100 Continue`. */
export async function sendRaw(
  port: number,
  bytes: string | Buffer,
): Promise<RawAnswer & { readonly isClosed: boolean }> {
  const connection = openRaw(port, [bytes.toString('latin1', 0, 5).split(' ')[0] ?? '']);
  connection.write(bytes);
  let answer = await connection.next();
  while (answer?.status === 100) answer = await connection.next();
  const isClosed = answer?.headers['connection'] === 'close';
  if (isClosed) await connection.rest();
  connection.close();
  if (!answer) throw new Error(`no answer, but ${JSON.stringify(connection.left().slice(0, 200))}`);
  return { ...answer, isClosed };
}

/** An HTTP/1.1 request in bytes, with a Host and the length of its body. */
export function toRequest(
  method: string,
  target: string,
  headers: Readonly<Record<string, string>> = {},
  body?: string | Buffer,
): Buffer {
  const all = {
    ...(hasName(headers, 'host') ? {} : { Host: '127.0.0.1' }),
    ...(body === undefined || hasName(headers, 'content-length', 'transfer-encoding')
      ? {}
      : { 'Content-Length': String(Buffer.byteLength(body)) }),
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1');
  return Buffer.concat([head, Buffer.from(body ?? '')]);
}

const hasName = (headers: Readonly<Record<string, string>>, ...names: string[]): boolean =>
  Object.keys(headers).some((name) => names.includes(name.toLowerCase()));

const headEnd = Buffer.from('\r\n\r\n');

function parseAnswer(bytes: Buffer, isHead: boolean): Parsed | undefined {
  const at = bytes.indexOf(headEnd);
  if (at < 0) return undefined;
  const [first = '', ...lines] = bytes.toString('latin1', 0, at).split('\r\n');
  const status = /^HTTP\/1\.1 (\d{3})(?: .*)?$/.exec(first)?.[1];
  if (status === undefined) throw new Error(`no answer of HTTP/1.1: ${JSON.stringify(first)}`);
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
  }
  const bodyAt = at + headEnd.length;
  const body = readBody(bytes.subarray(bodyAt), Number(status), headers, isHead);
  if (!body) return undefined;
  const text = body.content.toString();
  const isJson = /json$/.test((headers['content-type'] ?? '').split(';')[0] ?? '');
  const json = isJson && text !== '' ? (JSON.parse(text) as RawAnswer['body']) : {};
  return {
    answer: { status: Number(status), headers, text, body: json },
    length: bodyAt + body.length,
  };
}

type Body = { readonly content: Buffer; readonly length: number };

function readBody(
  bytes: Buffer,
  status: number,
  headers: Readonly<Record<string, string>>,
  isHead: boolean,
): Body | undefined {
  if (isHead || status < 200 || status === 204 || status === 304) {
    return { content: Buffer.alloc(0), length: 0 };
  }
  if (headers['transfer-encoding'] !== 'chunked') {
    const length = Number(headers['content-length'] ?? '0');
    return bytes.length < length ? undefined : { content: bytes.subarray(0, length), length };
  }
  const parts: Buffer[] = [];
  for (let at = 0; ;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    at = lineEnd + 2 + size + 2;
    if (bytes.length < at) return undefined;
    if (size === 0) return { content: Buffer.concat(parts), length: at };
    parts.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
  }
}
