import { contentDigest, genesisHash } from '../../../core/chain.ts';
import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import { isStorableTime } from '../../../core/time/calendar.ts';
import type {
  GetStatementProofRequest,
  GetStatementProofResponse,
  StatementProofHead,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { AuditTrail } from '../../platform/audit/audit.ts';
import { recordRead } from '../../platform/audit/reads.ts';
import { readClock, type Db } from '../../platform/db/db.ts';
import type { CallContext } from '../../platform/grpc/calls.ts';
import { findAnchor, type Anchor } from '../checkpoints/anchor.ts';
import { findLast } from '../checkpoints/store.ts';
import type { Entry, WalletRef, WalletState } from '../domain.ts';
import { readAtWatermark } from '../store/read-wallet.ts';
import { findHash, readLedger, readWalletAt } from '../store/reads.ts';
import { splitIntoMessages } from './ledger-stream.ts';
import { readRef, type ReadOptions } from './reads.ts';

export type ProofOptions = ReadOptions & {
  readonly trail: Pick<AuditTrail, 'record'>;
  /** From one checkpoint to the next; undefined where this server takes none. */
  readonly checkpointEveryMs?: number | undefined;
};

const maxEntries = 1_000n;

/**
 * What proves the statement of a period without a server. The checkpoint is the first one that was
 * taken after the period and has its last entry: so no more digests follow than entries were made
 * between the two. INVALID_ARGUMENT, WALLET_NOT_FOUND, WALLET_BUSY, CHECKPOINT_PENDING.
 */
export async function getStatementProof(
  options: ProofOptions,
  request: GetStatementProofRequest,
  context: CallContext,
): Promise<Result<AsyncIterable<GetStatementProofResponse>>> {
  const { db, users, trail } = options;
  const ref = readRef(options, request, context.principal);
  if (!ref.ok) return ref;
  const exists = await users.check(ref.value.userId);
  if (!exists.ok) return exists;
  const period = readPeriod(request);
  if (!period.ok) return period;
  // What is proved must stay true: a commit in flight may belong to the period.
  const read = await readAtWatermark(db, ref.value);
  if (!read.ok) return read;
  const { wallet } = read.value;
  if (wallet.seq === 0n) return neverOpened(ref.value);
  const range = await findRange(db, wallet, period.value);
  const anchor = await findAnchor(db, wallet.id, range.lastSeq, period.value.toMs);
  if (!anchor) return refusePending(options, period.value);
  const { userId, currency } = ref.value;
  const recorded = await recordRead(trail, context, {
    action: 'statement.prove',
    target: userId,
    details: { currency, from: toText(period.value.fromMs), to: toText(period.value.toMs) },
  });
  if (!recorded.ok) return recorded;
  const shown = showRange(range, anchor.leaf.seq, request.hideNeighbours);
  const head = await makeHead(db, wallet, range, shown, anchor);
  return succeed(streamParts(db, head, shown));
}

type Period = { readonly fromMs: number; readonly toMs: number };

const toText = (timeMs: number): string => new Date(timeMs).toISOString();

function readPeriod({ from, to }: GetStatementProofRequest): Result<Period> {
  for (const [field, time] of [
    ['from', from],
    ['to', to],
  ] as const) {
    if (!time || !isStorableTime(time.getTime())) {
      return refuse('INVALID_ARGUMENT', `${field} must be a time in the years 1 to 9999`, {
        field,
      });
    }
  }
  const [fromMs, toMs] = [from?.getTime() ?? 0, to?.getTime() ?? 0];
  if (fromMs <= toMs) return succeed({ fromMs, toMs });
  return refuse('INVALID_ARGUMENT', 'from must not be after to', { field: 'from' });
}

const neverOpened = ({ userId, currency }: WalletRef) =>
  refuse(
    'WALLET_NOT_FOUND',
    `user ${userId} has no transactions in ${currency}: no checkpoint has this wallet`,
    { userId, currency },
  );

/** No checkpoint covers the period yet: when the next one is due, if this server takes any. */
async function refusePending(
  { db, checkpointEveryMs }: ProofOptions,
  { toMs }: Period,
): Promise<Result<never>> {
  const what = `no checkpoint of the ledger was taken after ${toText(toMs)} yet`;
  if (checkpointEveryMs === undefined) {
    return refuse('CHECKPOINT_PENDING', `${what}, and this server takes none by itself`);
  }
  const { last, nowMs } = await db.read(async (tx) => ({
    last: await findLast(tx),
    nowMs: await readClock(tx),
  }));
  const dueMs = Math.max((last?.takenAtMs ?? 0) + checkpointEveryMs, nowMs, toMs);
  const nextAt = toText(dueMs);
  return refuse('CHECKPOINT_PENDING', `${what}; the next one is due at ${nextAt}`, { nextAt });
}

/** The entries of a period; without any, `lastSeq` is one less than `firstSeq`. */
type Range = { readonly firstSeq: bigint; readonly lastSeq: bigint };

async function findRange(db: Db, wallet: WalletState, { fromMs, toMs }: Period): Promise<Range> {
  const seqBefore = (timeMs: number): Promise<bigint> =>
    isStorableTime(timeMs - 1)
      ? db.read(async (tx) => (await readWalletAt(tx, wallet, timeMs - 1)).seq)
      : Promise.resolve(0n);
  return { firstSeq: (await seqBefore(fromMs)) + 1n, lastSeq: await seqBefore(toMs) };
}

/** Which entries are shown: those of the period, and where there is one, one on each side. */
function showRange({ firstSeq, lastSeq }: Range, leafSeq: bigint, areHidden: boolean): Range {
  if (areHidden) return { firstSeq, lastSeq };
  return {
    firstSeq: firstSeq > 1n ? firstSeq - 1n : firstSeq,
    lastSeq: leafSeq > lastSeq ? lastSeq + 1n : lastSeq,
  };
}

async function makeHead(
  db: Db,
  { id: walletId, userId, currency }: WalletState,
  { firstSeq, lastSeq }: Range,
  shown: Range,
  { leaf, checkpoint }: Anchor,
): Promise<StatementProofHead> {
  const previousSeq = shown.firstSeq - 1n;
  const found = await db.read((tx) => findHash(tx, { walletId, seq: previousSeq }));
  const genesis = Buffer.from(genesisHash(walletId, userId, currency), 'hex');
  if (previousSeq > 0n && !found) throw new Error(`wallet ${walletId} has no entry ${previousSeq}`);
  return {
    ...{ walletId, userId, currency, firstSeq, lastSeq },
    ...{ previousSeq, previousHash: found ?? genesis },
    ...{
      leafSeq: leaf.seq,
      leafHash: Buffer.from(leaf.hash, 'hex'),
      leafIndex: leaf.index,
      path: [...leaf.path],
    },
    checkpointText: checkpoint.text,
    signature: checkpoint.signature,
    publicKey: checkpoint.publicKey,
  };
}

/**
 * The head, the shown entries, and digests of the others up to the leaf. Each page is read when the
 * one before has been taken.
 */
async function* streamParts(
  db: Db,
  head: StatementProofHead,
  shown: Range,
): AsyncGenerator<GetStatementProofResponse, void> {
  const { walletId, leafSeq } = head;
  yield { part: { $case: 'head', value: head } };
  const isShown = ({ seq }: Entry): boolean => seq <= shown.lastSeq;
  for (let seq = shown.firstSeq - 1n; seq < leafSeq;) {
    const place = { walletId, seq };
    const limit = Number(leafSeq - seq < maxEntries ? leafSeq - seq : maxEntries);
    const page = await db.read((tx) => readLedger(tx, place, true, limit));
    const last = page.at(-1);
    if (!last) throw new Error(`wallet ${walletId} has no entry after ${seq}`);
    for (const entries of splitIntoMessages(page.filter(isShown))) {
      yield { part: { $case: 'entries', value: { entries } } };
    }
    const hidden = page.filter((entry) => !isShown(entry));
    const digests = hidden.map((entry) => Buffer.from(contentDigest(entry), 'hex'));
    if (digests.length > 0) yield { part: { $case: 'digests', value: { digests } } };
    seq = last.seq;
  }
}
