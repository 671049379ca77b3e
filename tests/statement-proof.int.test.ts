import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  toFirstParts,
  toEntryPart,
  toDigestPart,
  toLastParts,
} from '../cli/commands/statements/proof/wire.ts';
import { walletIdOf } from '../core/ids.ts';
import { createStatementWriter } from '../core/statement-format/index.ts';
import { verifyStatement, type ProofPart } from '../core/statement-proof/index.ts';
import type { Principal } from '../daemon/platform/access/access.ts';
import { takeCheckpoint } from '../daemon/wallet/checkpoints/take.ts';
import { createOptimisticCommit } from '../daemon/wallet/commit/optimistic-commit.ts';
import { toCommand } from '../daemon/wallet/requests/request.ts';
import { createKnownUsers } from '../daemon/wallet/requests/users.ts';
import { getStatementProof } from '../daemon/wallet/rpc/statement-proof.ts';
import { Export, ExportFormat } from '../protos/gen/digitalwallet/statement/v1/statement.ts';
import {
  GetStatementProofRequest,
  GetStatementProofResponse,
} from '../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { contextOf, people } from '../daemon/wallet/rpc/test-support.ts';
import { printModelProof } from './support/ledger/proof-model.ts';
import { createTestDatabase, type TestDatabase } from './support/postgres/database.ts';

const [ana, bia] = [people.ana, people.bia];
const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const signer = { key: privateKey, publicKey };
let database: TestDatabase;
const recorded: object[] = [];

const everyMs = 3_600_000;
let checkpointEveryMs: number | undefined = everyMs;

type AskOptions = {
  readonly hideNeighbours?: boolean;
  readonly principal?: Principal;
  readonly currency?: string;
};
type Period = { readonly fromMs: number; readonly toMs: number };

async function deposit(userId: string, count: number, description = 'a note'): Promise<void> {
  const commands = Array.from({ length: count }, (_, n) => {
    const command = toCommand({
      ...{ userId, currency: 'BRL', operation: 'deposit', amountMinor: BigInt(n + 1) },
      ...{ parentId: undefined, merchant: undefined, metadata: { n: String(n) } },
      ...{ description, actor: userId, callerClass: 'staff', idempotencyKey: randomUUID() },
    });
    if (!command.ok) throw new Error(command.rejection.message);
    return command.value;
  });
  for (let start = 0; start < count; start += 1_000) {
    await createOptimisticCommit(database.db)(commands.slice(start, start + 1_000));
  }
}

/** A time between what was done before and what is done after. */
async function mark(): Promise<number> {
  await sleep(5);
  const rows = await database.query<{ ms: string }>(
    'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS ms',
  );
  await sleep(5);
  return Number(rows[0]!.ms);
}

async function checkpoint(): Promise<void> {
  await mark();
  expect(await takeCheckpoint(database.db, signer)).toBeDefined();
}

const customer = (userId: string): Principal => ({
  ...{ kind: 'user', userId, role: 'customer', sessionId: 's', apiKey: undefined },
});

async function ask(userId: string, { fromMs, toMs }: Period, options: AskOptions = {}) {
  const { hideNeighbours = false, principal = customer(userId), currency = 'BRL' } = options;
  const proofOptions = {
    ...{ db: database.db, defaultCurrency: 'BRL', checkpointEveryMs },
    users: createKnownUsers((ids) => Promise.resolve(new Set(ids))),
    trail: {
      record: (_context: unknown, line: object) => {
        recorded.push(line);
        return Promise.resolve();
      },
    },
  };
  const range = { from: new Date(fromMs), to: new Date(toMs) };
  const request = GetStatementProofRequest.fromPartial({
    ...{ userId, currency, ...range, hideNeighbours },
  });
  const answered = await getStatementProof(proofOptions, request, contextOf({ principal }));
  if (!answered.ok) return { refusal: answered.rejection, answers: [] };
  const answers: GetStatementProofResponse[] = [];
  for await (const answer of answered.value) {
    const bytes = GetStatementProofResponse.encode(answer).finish();
    expect(bytes.length).toBeLessThan(1024 * 1024);
    answers.push(GetStatementProofResponse.decode(bytes));
  }
  return { refusal: undefined, answers };
}

/** The proof as the command line writes it, and the file of its lines. */
function assemble(userId: string, { fromMs, toMs }: Period, answers: GetStatementProofResponse[]) {
  const [first, ...rest] = answers.map(({ part }) => part);
  if (first?.$case !== 'head') throw new Error('no head');
  const walletId = walletIdOf(userId, 'BRL');
  const made = Export.fromPartial({
    ...{ walletId, userId, currency: 'BRL', timezone: 'UTC', locale: 'en' },
    ...{ from: new Date(fromMs), to: new Date(toMs), format: ExportFormat.NDJSON },
  });
  const parts: ProofPart[] = [...toFirstParts(made, first.value)];
  for (const part of rest) {
    if (part?.$case === 'entries') {
      parts.push(...part.value.entries.map((entry) => toEntryPart(first.value, entry)!));
    }
    if (part?.$case === 'digests') parts.push(...part.value.digests.map(toDigestPart));
  }
  parts.push(...toLastParts(first.value));
  const head = { walletId, currency: 'BRL', fromMs, toMs, timezone: 'UTC' };
  const totals = { openingMinor: 0n, closingMinor: 0n, totalDebitMinor: 0n, totalCreditMinor: 0n };
  const writer = createStatementWriter(
    'ndjson',
    { ...head, ...totals },
    { locale: 'en', hasByteOrderMark: false },
  );
  const lines = parts.flatMap((part) => (part.kind === 'line' ? [part.entry] : []));
  const file = lines.map((entry) => writer.line({ ...entry, transactionId: entry.id })).join('');
  return { parts, proof: printModelProof(parts), file: Buffer.from(file) };
}

async function prove(userId: string, period: Period, options: AskOptions = {}) {
  const { refusal, answers } = await ask(userId, period, options);
  if (refusal) throw new Error(`${refusal.reason}: ${refusal.message}`);
  const made = assemble(userId, period, answers);
  const chunks = async function* () {
    yield await Promise.resolve(made.proof);
  };
  const rest = [made.file];
  const read = () => Promise.resolve(rest.shift() ?? Buffer.alloc(0));
  return { ...made, verdict: await verifyStatement(chunks, { read }) };
}

let marks: number[];

beforeAll(async () => {
  database = await createTestDatabase('wallet');
  marks = [await mark()];
  for (const count of [3, 1_500, 2, 1_200]) {
    await deposit(ana, count, 'private of ana');
    await deposit(bia, 1);
    marks.push(await mark());
  }
  // Enough wallets for several blocks of the tree.
  await database.query(
    `INSERT INTO wallets (id, user_id, currency, exponent, balance, seq, last_at, last_hash)
     SELECT gen_random_uuid(), gen_random_uuid(), 'EUR', 2, 0, 0, now(), sha256(n::text::bytea)
     FROM generate_series(1, 9000) n`,
  );
});

afterAll(() => database.drop());

describe('before a checkpoint covers the period', () => {
  it('a proof is pending, whether or not there are earlier checkpoints', async () => {
    const period = { fromMs: marks[0]!, toMs: marks[2]! };
    expect((await ask(ana, period)).refusal?.reason).toBe('CHECKPOINT_PENDING');
    await checkpoint();
    expect((await ask(ana, period)).refusal).toBeUndefined();
    const future = { fromMs: marks[0]!, toMs: (await mark()) + 60_000 };
    const pending = await ask(ana, future);
    expect(pending.refusal?.reason).toBe('CHECKPOINT_PENDING');
    const nextMs = Date.parse(pending.refusal?.metadata['nextAt'] ?? '');
    expect(nextMs).toBeGreaterThan(Date.now() + everyMs / 2);
    checkpointEveryMs = undefined;
    expect((await ask(ana, future)).refusal?.message).toContain('takes none by itself');
    checkpointEveryMs = everyMs;
  });
});

describe('GetStatementProof', () => {
  beforeAll(async () => {
    await deposit(ana, 1_100);
    await checkpoint();
    await deposit(ana, 1);
    await checkpoint();
  });

  it.each([
    ['the first entries of a wallet', 0, 1, 1, 3],
    ['entries of several reads', 1, 2, 4, 1_503],
    ['few entries', 2, 3, 1_504, 1_505],
    ['all entries', 0, 4, 1, 2_705],
  ])('GetStatementProof proves %s', async (_name, from, to, firstSeq, lastSeq) => {
    const { verdict } = await prove(ana, { fromMs: marks[from]!, toMs: marks[to]! });
    expect(verdict).toMatchObject({
      ok: true,
      value: {
        isPeriodProved: true,
        lines: { firstSeq: BigInt(firstSeq), lastSeq: BigInt(lastSeq) },
      },
    });
  });

  it('GetStatementProof proves periods without lines, and none that no checkpoint covers', async () => {
    const last = await prove(ana, { fromMs: marks[4]!, toMs: await mark() }).catch(String);
    expect(last).toContain('CHECKPOINT_PENDING');
    const quiet = { fromMs: marks[1]! - 1, toMs: marks[1]! };
    expect((await prove(ana, quiet)).verdict).toMatchObject({
      ok: true,
      value: { isPeriodProved: true, lines: { count: 0n, openingMinor: 6n, closingMinor: 6n } },
    });
    const before = { fromMs: marks[0]! - 1_000, toMs: marks[0]! };
    expect((await prove(ana, before)).verdict).toMatchObject({
      ok: true,
      value: { isPeriodProved: true, lines: { count: 0n, closingMinor: 0n } },
    });
  });

  it('the checkpoint is the first one after the period, so that few digests follow', async () => {
    const { parts } = await prove(ana, { fromMs: marks[1]!, toMs: marks[2]! });
    const count = (kind: string) => parts.filter((part) => part.kind === kind).length;
    // Entries 1,505 to 2,705: without the one after the period, which is shown.
    expect([count('before'), count('line'), count('after')]).toEqual([1, 1_500, 1]);
    expect(count('digest')).toBe(2_705 - 1_504);
  });

  it('a proof shows nothing of others, and with hidden neighbours nothing of other entries', async () => {
    const period = { fromMs: marks[1]!, toMs: marks[2]! };
    const { proof, verdict } = await prove(bia, period, { hideNeighbours: true });
    expect(verdict).toMatchObject({ ok: true, value: { isPeriodProved: false } });
    for (const secret of [ana, walletIdOf(ana, 'BRL'), 'private of ana']) {
      expect(proof.toString()).not.toContain(secret);
    }
    expect(proof.toString().match(/"occurredAtMs"/g)).toHaveLength(1);
  });

  it('GetStatementProof refuses invalid periods, and wallets of others as absent', async () => {
    const period = { fromMs: marks[1]!, toMs: marks[2]! };
    const reasonOf = async (...asked: Parameters<typeof ask>) =>
      (await ask(...asked)).refusal?.reason;
    const turned = { fromMs: marks[2]!, toMs: marks[1]! };
    expect(await reasonOf(ana, turned)).toBe('INVALID_ARGUMENT');
    expect(await reasonOf(ana, { fromMs: NaN, toMs: 0 })).toBe('INVALID_ARGUMENT');
    expect(await reasonOf(ana, period, { principal: customer(bia) })).toBe('USER_NOT_FOUND');
    expect(await reasonOf(ana, period, { currency: 'EUR' })).toBe('WALLET_NOT_FOUND');
    expect(
      await reasonOf(ana, { fromMs: Date.parse('0001-01-02'), toMs: marks[2]! }),
    ).toBeUndefined();
  });

  it('what staff see of another is recorded', async () => {
    recorded.length = 0;
    const { principal } = contextOf();
    await ask(bia, { fromMs: marks[1]!, toMs: marks[2]! }, { principal });
    expect(recorded).toMatchObject([{ action: 'statement.prove', target: bia, result: 'ok' }]);
  });

  it('a row that was edited in the database is not proved, and its entry is named', async () => {
    const edit = (by: number) =>
      database.query(
        'UPDATE transactions SET amount = amount + $3 WHERE wallet_id = $1 AND seq = $2',
        [walletIdOf(ana, 'BRL'), 700, by],
      );
    const period = { fromMs: marks[1]!, toMs: marks[2]! };
    await edit(1);
    const { verdict } = await prove(ana, period);
    expect(verdict).toMatchObject({ ok: false, fault: { where: 'entry 700 of the proof' } });
    // In an entry that is a digest, the chain no longer leads to the leaf.
    const early = await prove(ana, { fromMs: marks[0]!, toMs: marks[1]! });
    expect(early.verdict).toMatchObject({ ok: false, fault: { field: 'hash' } });
    await edit(-1);
    expect((await prove(ana, period)).verdict.ok).toBe(true);
  });
});
