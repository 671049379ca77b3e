import { exponentOf, findExponent } from '../../../core/currencies.ts';
import { metadataLimits } from '../../../core/json/metadata.ts';
import { refuse, succeed, type Rejection, type Result } from '../../../core/reasons.ts';
import { findTextProblem } from '../../../core/text.ts';
import {
  SearchStatus,
  type FoundLine,
  type SearchLinesRequest,
  type SearchLinesResponse,
  type StatementServiceServer,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import type { Principal } from '../../platform/access/access.ts';
import type { AuditTrail } from '../../platform/audit/audit.ts';
import { auditRead } from '../../platform/audit/reads.ts';
import type { Db } from '../../platform/db/db.ts';
import type { CallContext, Handlers } from '../../platform/grpc/calls.ts';
import {
  cursorParts,
  decodePageToken,
  encodePageToken,
  pageSizeOf,
  takePage,
  textBytes,
} from '../../platform/page-token.ts';
import { resolveWallet } from '../exports/create.ts';
import type { Line } from '../domain.ts';
import type { ReadHead, Wallet } from '../pages/generate.ts';
import { toWireLine } from '../wire.ts';
import { createCoverage, type Coverage } from './coverage.ts';
import { findInAll, findInWallet, isKeyComplete, noteKeys, type Found } from './store.ts';
import { hasPair, tagOf } from './tags.ts';

export type SearchOptions = {
  readonly db: Db;
  readonly peers: { readonly readHead: ReadHead };
  readonly trail: Pick<AuditTrail, 'record'>;
  readonly defaultCurrency: string;
  readonly searchKeys: readonly string[];
};

const defaultPageSize = 50;
const maxPageSize = 500;

/** Lines by their metadata: who may search which wallets, and the wire. */
export function createSearchHandlers(options: SearchOptions): Handlers<StatementServiceServer> {
  const coverage = createCoverage(options.db);
  return {
    searchLines: auditRead(
      options.trail,
      (request, context) => searchLines(options, coverage, request, context),
      ({ userId, currency, key, value }) => ({
        action: 'statement.search',
        target: userId || 'all users',
        details: {
          currency: currency || (userId && options.defaultCurrency),
          tag: tagOf(key, value),
        },
      }),
    ),
  };
}

/** Whether lines may be missing, and why. */
type Judgement = { readonly status: SearchStatus; readonly missing: string };

async function searchLines(
  options: SearchOptions,
  coverage: Coverage,
  request: SearchLinesRequest,
  { principal }: CallContext,
): Promise<Result<SearchLinesResponse>> {
  const refusal = checkPair(request, options.searchKeys);
  if (!refusal.ok) return refusal;
  const scope = resolveScope(options, request, principal);
  if (!scope.ok) return scope;
  const wallet = scope.value;
  const { key, value } = request;
  const tag = tagOf(key, value);
  const query = wallet ? [wallet.id, tag] : ['all', request.currency, tag];
  const place = { seq: cursorParts.seq };
  const shape = wallet ? place : { ...place, timeMs: cursorParts.timeMs, id: cursorParts.id };
  const cursor = decodePageToken(query, request.pageToken, shape);
  if (!cursor.ok) return cursor;
  const size = pageSizeOf(request.pageSize, defaultPageSize, maxPageSize);
  if (!size.ok) return size;
  // Before the lines are read: what it finds complete stays so.
  const judged = await judge(options, coverage, wallet, key, cursor.value ? 0 : catchUpMs);
  if (!judged.ok) return judged;
  const before = toPlace(cursor.value);
  const limit = size.value + 1;
  const found = await options.db.read((tx) =>
    wallet
      ? findInWallet(tx, { walletId: wallet.id, tag }, before.seq, limit)
      : findInAll(tx, tag, before, limit),
  );
  const { page, last } = takePage(found, size.value, ({ line }) => (line ? bytesOf(line) : 0));
  const isWanted = (line: Line): boolean =>
    hasPair(line, key, value) &&
    (wallet ? line.userId === wallet.userId : ['', line.currency].includes(request.currency));
  const lines = page.flatMap(({ line }) => (line && isWanted(line) ? [toFoundLine(line)] : []));
  const nextPageToken = last ? encodePageToken(query, toCursor(last, wallet !== undefined)) : '';
  return succeed({ lines, nextPageToken, ...judged.value });
}

function checkPair({ key, value }: SearchLinesRequest, keys: readonly string[]): Result<void> {
  if (!keys.includes(key)) {
    const names = keys.length === 0 ? 'none' : keys.join(', ');
    const asked = JSON.stringify(key);
    const message = `lines cannot be searched by ${asked}; the keys that can: ${names}`;
    return refuse('INVALID_ARGUMENT', message, { field: 'key', keys: keys.join() });
  }
  const problem = value === '' ? 'must not be empty' : findTextProblem(value, metadataLimits.value);
  if (problem === undefined) return succeed(undefined);
  return refuse('INVALID_ARGUMENT', `value ${problem}`, { field: 'value' });
}

/** The wallet to search; undefined for all of them, which only staff may. */
function resolveScope(
  options: SearchOptions,
  request: SearchLinesRequest,
  principal: Principal,
): Result<Wallet | undefined> {
  const isStaff = principal.kind === 'user' && principal.role !== 'customer';
  const isForOne = principal.kind === 'user' && principal.apiKey?.walletId !== undefined;
  if (!isStaff || isForOne || request.userId !== '') {
    return resolveWallet(options, request, principal);
  }
  return request.currency === '' || findExponent(request.currency) !== undefined
    ? succeed(undefined)
    : refuse('CURRENCY_UNKNOWN', 'currency must be a code of ISO 4217, like BRL', {
        field: 'currency',
      });
}

/** How long the first page waits for the projection to catch up with the ledger. */
const catchUpMs = 2_000;
const pollMs = 25;

async function judge(
  { db, peers, searchKeys }: SearchOptions,
  coverage: Coverage,
  wallet: Wallet | undefined,
  key: string,
  waitMs: number,
): Promise<Result<Judgement>> {
  const head =
    wallet && (await peers.readHead(wallet.userId, wallet.currency).catch(() => undefined));
  if (head && !head.ok && !isAboutWallet(head.rejection)) return head;
  const isComplete = await db.tx(async (tx) => {
    if (await isKeyComplete(tx, key)) return true;
    await noteKeys(tx, searchKeys);
    return isKeyComplete(tx, key);
  });
  if (!isComplete) return succeed(behind(notTagged(key)));
  if (!wallet) return succeed(unknown('only a search in one wallet is compared with the ledger'));
  if (!head?.ok) return succeed(unknown('the ledger could not be asked'));
  const endsAt = performance.now() + waitMs;
  for (;;) {
    const state = await coverage.check(wallet.id, head.value.seq);
    if (state === 'whole') return succeed({ status: SearchStatus.COMPLETE, missing: '' });
    if (state === 'open')
      return succeed(unknown('the wallet has too many lines to be counted at once'));
    if (performance.now() > endsAt) {
      return succeed(behind('the statement lines are behind the ledger: try again'));
    }
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

const behind = (missing: string): Judgement => ({ status: SearchStatus.BEHIND, missing });
const unknown = (missing: string): Judgement => ({ status: SearchStatus.UNKNOWN, missing });

const notTagged = (key: string): string =>
  `lines of before ${key} was added to SEARCH_KEYS are not found until an operator runs: ` +
  'walletd statements rebuild';

/** What the ledger refuses for this wallet alone: the lines can be shown all the same. */
const isAboutWallet = ({ reason }: Rejection): boolean =>
  reason === 'WALLET_CORRUPT' || reason === 'WALLET_BUSY';

const farAwayMs = Date.parse('9999-01-01T00:00:00Z');
const lastId = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

const toPlace = (cursor: Readonly<Record<string, string>> | undefined) => ({
  seq: BigInt(cursor?.['seq'] ?? 2n ** 63n - 1n),
  walletId: cursor?.['id'] ?? lastId,
  occurredAtMs: Number(cursor?.['timeMs'] ?? farAwayMs),
});

function toCursor({ seq, walletId, occurredAtMs }: Found, isOfWallet: boolean) {
  const place = { seq: seq.toString() };
  return isOfWallet ? place : { ...place, timeMs: String(occurredAtMs), id: walletId };
}

const toFoundLine = (line: Line): FoundLine => ({
  walletId: line.walletId,
  userId: line.userId,
  currency: line.currency,
  exponent: exponentOf(line.currency),
  line: toWireLine(line),
  metadata: { ...line.metadata },
});

function bytesOf({ description, contraAccount, metadata }: Line): number {
  const texts = [description, contraAccount, ...Object.entries(metadata).flat()];
  return texts.reduce((bytes, text) => bytes + textBytes(text), 400 + 16 * texts.length);
}
