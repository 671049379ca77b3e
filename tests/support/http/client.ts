import { Agent as HttpAgent, request as requestHttp, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';

export type HttpReply = {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly bytes: Buffer;
  readonly text: string;
  /** Parsed where it is JSON. */
  readonly body: Readonly<Record<string, unknown>>;
};

type Asked = {
  readonly headers?: Readonly<Record<string, string>>;
  /** A text is sent as it is, anything else as JSON. */
  readonly body?: unknown;
};

export type HttpClient = {
  /** Rejects where the connection ends before the answer does. */
  send(method: string, path: string, asked?: Asked): Promise<HttpReply>;
  /** The answer once its head is there; who reads no more destroys it. */
  open(method: string, path: string, asked?: Asked): Promise<IncomingMessage>;
  close(): void;
};

/** A client of a gateway; `ca`: PEM of the authority of an `https:` one. */
export function createHttpClient(
  url: string,
  { ca, maxSockets = 64 }: { readonly ca?: Buffer; readonly maxSockets?: number } = {},
): HttpClient {
  const options = { keepAlive: true, maxSockets };
  const agent = ca ? new HttpsAgent({ ...options, ca }) : new HttpAgent(options);
  const request = ca ? requestHttps : requestHttp;
  const open: HttpClient['open'] = (method, path, { headers = {}, body } = {}) =>
    new Promise((resolve, reject) => {
      const type = body === undefined ? {} : { 'content-type': 'application/json' };
      const sent = { ...type, ...headers };
      const sending = request(`${url}${path}`, { method, agent, headers: sent }, resolve);
      sending.once('error', reject);
      if (body === undefined) sending.end();
      else sending.end(typeof body === 'string' ? body : JSON.stringify(body));
    });
  return {
    open,
    send: async (method, path, asked) => readAll(await open(method, path, asked)),
    close: () => agent.destroy(),
  };
}

async function readAll(response: IncomingMessage): Promise<HttpReply> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const bytes = Buffer.concat(chunks);
  const text = bytes.toString();
  const isJson = /[/+]json/.test(response.headers['content-type'] ?? '') && text !== '';
  const body = isJson ? (JSON.parse(text) as HttpReply['body']) : {};
  return { status: response.statusCode ?? 0, headers: response.headers, bytes, text, body };
}

export type SentEvent = { readonly event: string; readonly id?: string; readonly data: unknown };

/**
 * The events of a stream as they come, comments left out. An id without an event comes as `id`.
 */
export async function* readEvents(response: IncomingMessage): AsyncGenerator<SentEvent> {
  response.setEncoding('utf8');
  let text = '';
  for await (const chunk of response as AsyncIterable<string>) {
    text += chunk;
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      yield toEvent(text.slice(0, end));
      text = text.slice(end + 2);
    }
  }
}

function toEvent(block: string): SentEvent {
  const field = (name: string): string | undefined =>
    new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1];
  const id = field('id');
  const data = field('data');
  const event = field('event') ?? 'id';
  const known = id === undefined ? {} : { id };
  return { event, ...known, data: data === undefined ? undefined : JSON.parse(data) };
}

export const bearer = (token: string): Readonly<Record<string, string>> => ({
  authorization: `Bearer ${token}`,
});

/** Signs up and in: an access token. */
export async function enter(client: HttpClient, email: string, password: string): Promise<string> {
  const person = { email, password };
  const signedUp = await client.send('POST', '/v1/sign-up', { body: person });
  if (signedUp.status !== 201) throw new Error(signedUp.text);
  const { body, text } = await client.send('POST', '/v1/sign-in', { body: person });
  const tokens = body['tokens'] as { accessToken: string } | undefined;
  if (!tokens) throw new Error(text);
  return tokens.accessToken;
}
