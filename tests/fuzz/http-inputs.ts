import type { Route } from '../../daemon/gateway/http/route.ts';
import { listRoutes } from '../../daemon/gateway/index.ts';
import { toRequest } from '../support/http/raw.ts';
import type { Random } from './random.ts';
import { anyText, mutateBytes, mutateText } from './values.ts';

/** What inputs may name. */
export type HttpPlayer = {
  readonly userId: string;
  /** `Authorization` or `Cookie`, by a session that works. */
  readonly header: readonly [name: string, value: string];
};

export type HttpInput = {
  readonly method: string;
  readonly target: string;
  readonly bytes: Buffer;
  /** Written one after the other; more than one where the input comes in pieces. */
  readonly parts: readonly Buffer[];
  /** One request with its whole body: it has one answer, and the connection may go on. */
  readonly isWhole: boolean;
  /** Shows the credential of its player as it is. */
  readonly isSignedIn: boolean;
};

const routes = listRoutes('BRL');
const methods = [
  ...['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', 'TRACE', 'QUERY', 'PROPFIND'],
  ...['CONNECT', 'SUBSCRIBE', 'FOO', 'get'],
];
const pages = ['/', '/docs', '/docs/errors', '/openapi.json', '/healthz', '/readyz', '/nothing'];
const uuids = ['0b7c1f52-6a0e-4a59-9d5c-2f6f1f0c9a11', '00000000-0000-0000-0000-000000000000'];
const queryNames = [
  ...['limit', 'pageToken', 'user', 'currency', 'operation', 'from', 'to', 'timezone', 'at'],
  ...['wait', 'cursor', 'includeHolds', '__proto__', 'constructor', 'x', ''],
];
const goodQueries = toMap({
  limit: ['1', '5', '500', '501', '0'],
  currency: ['BRL', 'EUR', 'JPY', 'XXX'],
  operation: ['deposit', 'withdraw', 'reversal'],
  from: ['2026-11-01', '2026-11-01T00:00:00Z', '0001-01-01'],
  to: ['2026-11-30', '9999-12-31', '2026-11-30T00:00:00-03:00'],
  timezone: ['UTC', 'America/Sao_Paulo', 'Etc/GMT+12'],
  wait: ['0', '1'],
});
const headerNames = [
  ...['Accept', 'Origin', 'Sec-Fetch-Site', 'Range', 'If-None-Match', 'If-Range', 'Prefer'],
  ...['Last-Event-ID', 'X-Request-Id', 'User-Agent', 'Content-Encoding', 'Expect', 'Upgrade'],
  ...['Host', 'Cookie', 'Authorization', 'Idempotency-Key', 'Content-Type', 'Trailer', 'Via'],
  ...['X-Forwarded-For', 'X-Forwarded-Proto', 'Forwarded', 'Accept-Encoding', '__proto__'],
];
const goodHeaders = toMap({
  Accept: ['application/json', 'text/csv', 'text/x-hledger', 'application/x-ndjson', '*/*;q=0'],
  Origin: ['http://127.0.0.1', 'null', 'http://evil.example'],
  'Sec-Fetch-Site': ['same-origin', 'cross-site', 'none'],
  Range: ['bytes=0-10', 'bytes=-1', 'bytes=99999999-', 'bytes=0-1,3-4'],
  Prefer: ['wait=1', 'respond-async, wait=0'],
  Host: ['localhost', 'evil.example', '', '[::1]:80', 'a b'],
  'Content-Type': [
    ...['application/json', 'application/json; charset=utf-8', 'application/x-ndjson'],
    ...['application/json; charset=utf-16', 'text/plain', 'multipart/form-data', 'application'],
  ],
  'Content-Encoding': ['identity', 'gzip', 'br'],
  Expect: ['100-continue', 'tea'],
  Upgrade: ['websocket', 'h2c'],
});

/** One input: a request near to one of a route, or bytes that are none. */
export function makeHttpInput(random: Random, player: HttpPlayer, index: number): HttpInput {
  const route = pickRoute(random);
  const method = random.chance(94) ? route.method : random.pick(methods);
  const target = makeTarget(random, player, route);
  const isSignedIn = route.credential === 'required' && random.chance(80);
  const headers = makeHeaders(random, player, index, isSignedIn);
  const hasBody =
    !['GET', 'HEAD'].includes(method) && (route.body !== undefined || random.chance(10));
  const body = hasBody ? makeBody(random, player, route.bodyExample ?? {}, headers) : undefined;
  const whole = toRequest(method, target, headers, body);
  const isRaw = random.chance(6);
  const bytes = isRaw ? makeRaw(random, whole, index) : whole;
  const isWhole = !isRaw;
  const shared = { method, target, bytes, isWhole };
  const isClean = isSignedIn && isWhole && !touchesCredential(headers, player);
  return { ...shared, parts: split(random, bytes), isSignedIn: isClean };
}

/** Sessions that end make players sign in again, and passwords cost much: not too often. */
function pickRoute(random: Random): Route {
  const route = random.pick(routes);
  const isRare = /sign-|sessions|password|verify|users/.test(route.path) && route.method !== 'GET';
  return isRare && random.chance(90) ? random.pick(routes) : route;
}

const touchesCredential = (headers: Readonly<Record<string, string>>, { header }: HttpPlayer) =>
  Object.entries(headers).some(
    ([name, value]) => /^(?:authorization|cookie|host)$/i.test(name) && value !== header[1],
  );

function makeTarget(random: Random, player: HttpPlayer, { path, query }: Route): string {
  if (random.chance(3)) return random.pick(pages);
  const { shape = {} } = (query ?? {}) as { readonly shape?: object };
  const ownNames = Object.keys(shape);
  let target = path.replace(/:(\w+)/g, (_all, name: string) => {
    if (random.chance(15)) return encode(random, anyText(random));
    if (name === 'user') return random.chance(50) ? 'me' : player.userId;
    if (name === 'currency') return random.pick(['BRL', 'EUR', 'JPY', 'brl']);
    return name === 'key' ? `key-${random.int(1_000)}` : random.pick(uuids);
  });
  const count = random.chance(ownNames.length > 0 ? 40 : 90) ? 0 : 1 + random.int(3);
  for (let i = 0; i < count; i += 1) {
    const isOwn = ownNames.length > 0 && random.chance(80);
    const name = random.pick(isOwn ? ownNames : queryNames);
    const good = goodQueries.get(name) ?? [];
    const value = good.length > 0 && random.chance(75) ? random.pick(good) : anyText(random);
    target += `${i === 0 ? '?' : '&'}${name}=${encode(random, value)}`;
  }
  if (random.chance(2)) target = `http://127.0.0.1${target}`;
  if (random.chance(3)) target = mutateText(random, target);
  // No blank or line end: these would make it another request.
  return target.replace(/[^\x21-\xff]/g, '') || '/';
}

const encode = (random: Random, text: string): string =>
  random.chance(90)
    ? encodeURIComponent(text.toWellFormed())
    : random.pick(['%', '%f', '%ff', '%00', '%2e%2e', '%c0%ae', '+', '%zz']);

function makeHeaders(
  random: Random,
  player: HttpPlayer,
  index: number,
  isSignedIn: boolean,
): Record<string, string> {
  const headers: Record<string, string> = { 'Content-Type': 'application/json' };
  if (isSignedIn) headers[player.header[0]] = player.header[1];
  if (random.chance(60)) {
    const key = random.chance(85) ? `key-${index}` : `key-${random.int(1_000)}`;
    headers['Idempotency-Key'] = random.chance(50) ? `"${key}"` : key;
  }
  const count = random.chance(60) ? 0 : 1 + random.int(3);
  for (let i = 0; i < count; i += 1) {
    const name = random.pick(headerNames);
    const good = goodHeaders.get(name) ?? [];
    const value = good.length > 0 && random.chance(70) ? random.pick(good) : anyText(random);
    headers[name] = value.replace(/[^\t\x20-\x7e\x80-\xff]/g, '').trim();
  }
  return headers;
}

const currencies = ['BRL', 'BRL', 'EUR', 'JPY'];
const operationNames = [
  'deposit',
  'withdraw',
  'purchase',
  'reversal',
  'cancellation',
  0,
  1,
  2,
  3,
  4,
];

function makeBody(
  random: Random,
  player: HttpPlayer,
  example: unknown,
  headers: Readonly<Record<string, string>>,
): string | Buffer {
  const json = mutateJson(random, fill(random, player, example), random.chance(60) ? 0 : 25);
  const lines = headers['Content-Type'] === 'application/x-ndjson';
  const { items } = (json ?? {}) as { items?: unknown };
  let text = JSON.stringify(json);
  if (lines && Array.isArray(items)) text = items.map((item) => JSON.stringify(item)).join('\n');
  if (random.chance(8)) return mutateText(random, text);
  if (random.chance(6)) return mutateBytes(random, Buffer.from(text));
  if (random.chance(1))
    return random.pick(['[', '{"a":', '1,', '"\\u0000']).repeat(random.int(40_000));
  return text;
}

/** The example of a body, with values that the daemon may accept. */
function fill(random: Random, player: HttpPlayer, example: unknown): unknown {
  const text = JSON.stringify(example);
  return JSON.parse(text, (key, value: unknown) => {
    if (key === 'operation') return random.pick(operationNames);
    if (key === 'amount') return random.pick(['1.00', '0.01', '3', 2, 0.5, '1000000']);
    if (key === 'currency') return random.pick(currencies);
    if (key === 'idempotencyKey') return `item-${random.int(1_000_000_000)}`;
    if (key === 'email') return `stranger${random.int(100)}@example.com`;
    if (key === 'user') return player.userId;
    return value;
  });
}

function mutateJson(random: Random, value: unknown, percent: number): unknown {
  if (percent > 0 && random.chance(percent / 2)) return anyJson(random, 0);
  if (Array.isArray(value)) {
    const list = value.map((each) => mutateJson(random, each, percent));
    return random.chance(percent / 4) ? Array(random.int(30)).fill(list[0]) : list;
  }
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value)
    .filter(() => !random.chance(percent / 4))
    .map(([key, each]) => [key, mutateJson(random, each, percent)] as const);
  const more = random.chance(percent / 2) ? [[anyText(random), anyJson(random, 0)] as const] : [];
  return Object.fromEntries([...members, ...more]);
}

function anyJson(random: Random, depth: number): unknown {
  switch (random.int(depth > 3 ? 5 : 7)) {
    case 0:
      return null;
    case 1:
      return random.chance(50);
    case 2:
      return random.pick([0, -1, 1e21, 2 ** 53, 0.1, -0, 1e-7, 4]);
    case 3:
    case 4:
      return anyText(random);
    case 5:
      return Array.from({ length: random.int(4) }, () => anyJson(random, depth + 1));
    default:
      return { [anyText(random)]: anyJson(random, depth + 1) };
  }
}

/** Bytes that are a request no more, or several. */
function makeRaw(random: Random, whole: Buffer, index: number): Buffer {
  switch (random.int(6)) {
    case 0:
      return random.bytes(1 + random.int(400));
    case 1:
      return Buffer.concat([whole, whole]);
    case 2:
      return Buffer.concat([whole, random.bytes(1 + random.int(50))]);
    case 3: {
      const size = random.pick(['0', '1', '5', 'ffffffff', '-1', 'zz', '5;a=b', '0000000005']);
      const head = whole
        .toString('latin1')
        .replace(/Content-Length: \d+/, 'Transfer-Encoding: chunked');
      return Buffer.from(
        `${head.split('\r\n\r\n')[0] ?? ''}\r\n\r\n${size}\r\nhello\r\n0\r\n\r\n`,
        'latin1',
      );
    }
    default: {
      let bytes = whole;
      for (let i = 0; i <= index % 4; i += 1) bytes = mutateBytes(random, bytes);
      return bytes;
    }
  }
}

function split(random: Random, bytes: Buffer): Buffer[] {
  if (random.chance(92)) return [bytes];
  const parts: Buffer[] = [];
  const size = random.pick([1, 2, 7, 100]);
  for (let at = 0; at < bytes.length;) {
    // The rest at once: a body may be long.
    const end = parts.length === 60 ? bytes.length : at + 1 + random.int(size);
    parts.push(bytes.subarray(at, end));
    at = end;
  }
  return parts;
}

function toMap(values: Readonly<Record<string, readonly string[]>>) {
  return new Map(Object.entries(values));
}
