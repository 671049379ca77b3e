import { connect } from 'node:net';

/** Gets the status of an answer, and its body. */
type OnAnswer = (status: number, body: Buffer) => void;

/** One keep-alive connection of HTTP/1.1, with one request on it at a time. */
export type HttpConnection = {
  /** Sends a whole request as it stands on the wire, of ASCII only. */
  send(request: string, onAnswer: OnAnswer): void;
  close(): void;
};

const headEnd = Buffer.from('\r\n\r\n');

/**
 * HTTP/1.1 as far as a load needs it: answers with a `content-length`. Node's own client costs
 * about as much as the server does.
 */
export function connectHttp(
  address: string,
  onFailure: (err: Error) => void,
): Promise<HttpConnection> {
  const [host, port] = address.split(':');
  const socket = connect({ host, port: Number(port), noDelay: true });
  let waiting: OnAnswer | undefined;
  let parts: Buffer[] = [];
  let length = 0;
  /** Of the answer that is being read, once its head is there. */
  let head: Head | undefined;
  let isClosing = false;

  const onData = (chunk: Buffer): void => {
    parts.push(chunk);
    length += chunk.length;
    if (head && length < head.end) return;
    const bytes = parts.length === 1 ? chunk : Buffer.concat(parts);
    parts = [bytes];
    head ??= readHead(bytes);
    if (!head || length < head.end) return;
    const { status, bodyStart, end } = head;
    const onAnswer = waiting;
    if (!onAnswer || length > end) throw new Error('there is an answer that no request asked for');
    waiting = undefined;
    parts = [];
    length = 0;
    head = undefined;
    onAnswer(status, bytes.subarray(bodyStart, end));
  };
  socket.on('data', (chunk) => {
    try {
      onData(chunk);
    } catch (err) {
      onFailure(err as Error);
    }
  });
  socket.on('error', onFailure);
  socket.on('close', () => {
    if (!isClosing) onFailure(new Error('the daemon closed a connection'));
  });
  const connection: HttpConnection = {
    send: (request, onAnswer) => {
      waiting = onAnswer;
      socket.write(request, 'latin1');
    },
    close: () => {
      isClosing = true;
      socket.destroy();
    },
  };
  return new Promise((resolve, reject) => {
    socket.once('connect', () => resolve(connection));
    socket.once('error', reject);
  });
}

type Head = { readonly status: number; readonly bodyStart: number; readonly end: number };

function readHead(bytes: Buffer): Head | undefined {
  const at = bytes.indexOf(headEnd);
  if (at < 0) return undefined;
  const text = bytes.toString('latin1', 0, at);
  const status = /^HTTP\/1\.1 (\d{3}) /.exec(text)?.[1];
  const bodyLength = /\r\ncontent-length: (\d+)/i.exec(text)?.[1];
  if (status === undefined || bodyLength === undefined) {
    throw new Error(`an answer has no status or no length: ${text}`);
  }
  const bodyStart = at + headEnd.length;
  return { status: Number(status), bodyStart, end: bodyStart + Number(bodyLength) };
}
