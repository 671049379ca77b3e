import {
  addDays,
  instantOfWallClock,
  isStorableTime,
  isTimezone,
  parseDate,
  wallClockMs,
} from '../../core/time/calendar.ts';
import { findExponent } from '../../core/currencies.ts';
import { formatMinor, parseAmount, amountLimitMinor } from '../../core/money.ts';
import { findTextProblem, stripControls } from '../../core/text.ts';
import { canonicalizeEmail, canonicalizePassword } from '../../daemon/auth/domain.ts';
import { cursorParts, decodePageToken, encodePageToken } from '../../daemon/platform/page-token.ts';
import { readLine } from '../../daemon/statement/projection/messages.ts';
import { readEmitted, toCreatedMessage } from '../../daemon/wallet/events/messages.ts';
import { toCommand } from '../../daemon/wallet/requests/request.ts';
import { createRandom, type Random } from './random.ts';
import { createYielder, type Report } from './report.ts';
import { anyText, mutateText } from './values.ts';

/** No single text may take so long: a client that repeats it would block all other clients. */
const tooLongMs = 2_000;

export type Range = { readonly from: number; readonly count: number };

/** Runs a function of ours over inputs of one kind; what it throws is a violation. */
async function runPure(
  report: Report,
  kind: string,
  { from, count }: Range,
  handle: (random: Random) => { readonly ending: string; readonly input: string },
): Promise<void> {
  const rest = createYielder();
  for (let index = from; index < from + count; index += 1) {
    const startedAt = performance.now();
    let input = '';
    try {
      const done = handle(createRandom(report.seed, kind, index));
      input = done.input;
      report.count(kind, done.ending);
    } catch (err) {
      report.count(kind, 'thrown');
      report.violate(kind, index, whatOf(err));
    }
    if (performance.now() - startedAt > tooLongMs) report.violate(kind, index, 'too slow', input);
    await rest();
  }
}

/** An error in one line: its message, and where it was thrown. */
export function whatOf(err: unknown): string {
  if (!(err instanceof Error)) return String(err);
  return `${err.name}: ${err.message} ${err.stack?.split('\n')[1]?.trim() ?? ''}`;
}

const userId = '5aa80f22-6efa-4bfd-9a2b-2c2ac937d82b';

const emitted = {
  pattern: 'transaction_emitted',
  data: {
    userId,
    messageId: 'm1',
    transaction: { amount: '12.50', operation: 'deposit', currency: 'BRL', description: 'x' },
  },
};

const created = toCreatedMessage({
  id: userId,
  wallet: { id: userId, userId, currency: 'BRL', exponent: 2 },
  seq: 1n,
  operation: 'deposit',
  amountMinor: 1250n,
  balanceAfterMinor: 1250n,
  contraAccount: 'external:cash',
  parentId: undefined,
  source: 'grpc',
  actor: userId,
  description: 'x',
  metadata: {},
  more: undefined,
  occurredAtMs: 1_795_000_000_000,
  previousHash: '0'.repeat(64),
  hash: '0'.repeat(64),
}).body;

type Json = Readonly<Record<string, unknown>>;

/** A value in place of another: of another type, nested, or only a little off. */
function anyJson(random: Random, depth = 0): unknown {
  switch (random.int(depth > 3 ? 5 : 8)) {
    case 0:
      return null;
    case 1:
      return random.chance(50);
    case 2:
      return random.pick([0, -0, -1, 1.5, 0.1 + 0.2, 1e21, 1e308, 5e-324, 2 ** 53, 4, 3, 2]);
    case 3:
    case 4:
      return anyText(random);
    case 5:
      return Array.from({ length: random.int(4) }, () => anyJson(random, depth + 1));
    case 6:
      return { [anyText(random)]: anyJson(random, depth + 1) };
    default:
      return JSON.parse('{"__proto__":{"isAdmin":true},"constructor":{"prototype":{}}}') as unknown;
  }
}

function mutateJson(random: Random, value: unknown): unknown {
  if (typeof value === 'string' && random.chance(70)) return mutateText(random, value);
  if (typeof value !== 'object' || value === null || random.chance(4)) return anyJson(random);
  const copy: Record<string, unknown> = { ...(value as Json) };
  const keys = Object.keys(copy);
  if (keys.length === 0) return anyJson(random);
  const key = random.pick(keys);
  const choice = random.int(12);
  if (choice === 0) {
    return Object.fromEntries(Object.entries(copy).filter(([name]) => name !== key));
  }
  if (choice === 1) copy[anyText(random)] = anyJson(random);
  else copy[key] = mutateJson(random, copy[key]);
  return copy;
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
};

function handleMessage(random: Random) {
  const isEmitted = random.chance(50);
  const base = isEmitted ? emitted : created;
  let value: unknown = base;
  for (let i = 1 + random.int(2); i > 0; i -= 1) {
    // The envelope is soon reported; it is what lies in it that goes deep.
    value = random.chance(85)
      ? { ...(value as Json), data: mutateJson(random, (value as Json)['data'] ?? base.data) }
      : mutateJson(random, value);
    if (typeof value !== 'object' || value === null) break;
  }
  const written = JSON.stringify(value);
  const input = random.chance(10) ? mutateText(random, written) : written;
  const message = {
    messageId: random.chance(80) ? anyText(random) : undefined,
    body: parse(input),
    text: input,
    userId: random.chance(20) ? anyText(random) : undefined,
    headers: {},
  };
  return { ending: isEmitted ? tryEmitted(message) : tryLine(message), input };
}

type Message = Parameters<typeof readEmitted>[0];

function tryLine(message: Message): string {
  const line = readLine(message);
  if ('kind' in line) return `line ${line.reason}`;
  if (line.amountMinor === 0n) throw new Error(`a line of nothing: ${message.text}`);
  return 'a line';
}

function tryEmitted(message: Message): string {
  const request = readEmitted(message, 'BRL');
  if ('kind' in request) return request.reason;
  const { amountMinor } = request;
  if (amountMinor !== undefined && (amountMinor <= 0n || amountMinor >= amountLimitMinor)) {
    throw new Error(`an amount out of bounds: ${message.text}`);
  }
  const command = toCommand({ ...request, currency: request.currency ?? 'BRL' });
  return command.ok ? 'a command' : command.rejection.reason;
}

const zones = ['UTC', 'America/Sao_Paulo', 'Pacific/Apia', 'Africa/Monrovia', 'Asia/Kathmandu'];
const seq = { seq: cursorParts.seq, id: cursorParts.id };

/** Each reads one text from outside, and says what came of it. */
const readers: Readonly<Record<string, (text: string, random: Random) => boolean>> = {
  amount: (text, random) => {
    const exponent = findExponent(random.pick(['BRL', 'JPY', 'KWD', text])) ?? random.int(5);
    const parsed = parseAmount(text, exponent);
    if (!parsed.ok) return false;
    const again = parseAmount(formatMinor(parsed.minor, exponent), exponent);
    if (!again.ok || again.minor !== parsed.minor) throw new Error(`${text} changes when written`);
    return parsed.minor > 0n && parsed.minor < amountLimitMinor;
  },
  'page token': (text, random) => {
    const query = { of: random.int(3) };
    const own = encodePageToken(query, { seq: '7', id: userId });
    const token = random.chance(50) ? mutateText(random, own) : text;
    const decoded = decodePageToken(query, token, seq);
    if (!decoded.ok) return false;
    const cursor = decoded.value;
    if (cursor && !(seq.seq.test(cursor['seq'] ?? '') && seq.id.test(cursor['id'] ?? ''))) {
      throw new Error(`a cursor of another shape: ${token}`);
    }
    return true;
  },
  date: (text) => {
    const wallMs = parseDate(text);
    if (wallMs === undefined) return false;
    const written = new Date(wallMs).toISOString();
    if (!written.startsWith(text)) throw new Error(`${text} is read as ${written}`);
    return true;
  },
  time: (text, random) => {
    const zone = random.chance(80) ? random.pick(zones) : text;
    if (!isTimezone(zone)) return false;
    const ms = (random.int(2) * 2 - 1) * random.int(2 ** 31) * random.pick([1, 60, 1_000]);
    if (!isStorableTime(ms)) return false;
    const back = instantOfWallClock(wallClockMs(ms, zone), zone);
    if (Number.isNaN(back) || Number.isNaN(addDays(ms, random.int(400), zone))) {
      throw new Error(`no time in ${zone} at ${ms}`);
    }
    return true;
  },
  email: (text, random) => {
    const near = random.chance(60) ? mutateText(random, 'ana.maria@example.com') : text;
    const email = canonicalizeEmail(near);
    if (!email.ok) return false;
    const again = canonicalizeEmail(email.value);
    if (!again.ok || again.value !== email.value) throw new Error(`${near} has two forms`);
    return true;
  },
  password: (text) => {
    const password = canonicalizePassword(`${text} and a long tail`);
    if (!password.ok) return false;
    const again = canonicalizePassword(password.value);
    if (!again.ok || again.value !== password.value) throw new Error(`${text} has two forms`);
    return true;
  },
  text: (text) => {
    const stripped = stripControls(text);
    if (stripControls(stripped) !== stripped || /[\u0000-\u001f\u007f-\u009f]/.test(stripped)) {
      throw new Error('a control character is left');
    }
    return findTextProblem(text, 500) === undefined;
  },
};

const readerNames = Object.keys(readers);

function handleText(random: Random) {
  const name = random.pick(readerNames);
  const input = random.chance(50) ? anyText(random) : mutateText(random, anyText(random));
  const isTaken = readers[name]?.(input, random) ?? false;
  return { ending: `${name} ${isTaken ? 'taken' : 'refused'}`, input: JSON.stringify(input) };
}

/** Bodies of messages, through what reads them before any database is asked. */
export const fuzzMessages = (report: Report, range: Range): Promise<void> =>
  runPure(report, 'messages', range, handleMessage);

/** Page tokens, dates, money, addresses and other texts, through what reads them. */
export const fuzzTexts = (report: Report, range: Range): Promise<void> =>
  runPure(report, 'texts', range, handleText);
