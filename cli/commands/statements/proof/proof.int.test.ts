import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { ServiceError } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { toMoreColumns } from '../../../../core/chain.ts';
import { operationTable } from '../../../../core/operations.ts';
import type { ProofEntry, ProofPart } from '../../../../core/statement-proof/index.ts';
import {
  createModelKey,
  makeModelProof,
  makeModelWallet,
} from '../../../../tests/support/ledger/proof-model.ts';
import {
  Export,
  ExportFormat,
  ExportStatus,
} from '../../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import {
  Direction,
  StatementProofHead,
  Transaction,
  type GetStatementProofRequest,
  type GetStatementProofResponse,
} from '../../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import {
  createCli,
  fakeToken,
  refusal,
  startFakeServer,
  type Cli,
  type FakeServer,
} from '../../../test-support.ts';

const id = '7b0c1f52-6a0e-5a59-9d5c-2f6f1f0c9a11';
const startMs = Date.parse('2026-02-10T12:00:00Z');
const wallets = [3, 6, 9].map((seed) => makeModelWallet(seed, 12, startMs));
const wallet = wallets[1]!;
const file = { format: 'csv', locale: 'en', hasByteOrderMark: false, hasHolds: false } as const;
const range = {
  ...{ file, timezone: 'UTC', firstSeq: 4, lastSeq: 8, leafSeq: 11, hidesNeighbours: false },
};

type Answer = GetStatementProofResponse;
type Made = ReturnType<typeof makeModelProof>;

let cli: Cli;
let server: FakeServer;
let folder: string;
let made: Made;
let requests: GetStatementProofRequest[];
/** What the server makes of its right answers. */
let change: (answers: Answer[]) => Answer[] | ServiceError;

const only = <Kind extends ProofPart['kind']>(kind: Kind) =>
  made.parts.filter((part): part is Extract<ProofPart, { kind: Kind }> => part.kind === kind);
const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex');

function toTransaction(entry: ProofEntry): Transaction {
  const { amountMinor, occurredAtMs, hash, metadata, operation, more, ...fields } = entry;
  const columns = more && toMoreColumns(more);
  return Transaction.fromPartial({
    ...{ heldMinor: columns?.held, heldAfterMinor: columns?.heldAfter },
    ...{ parentUsedMinor: columns?.parentUsed, groupId: columns?.groupId },
    ...{ ...fields, metadata: { ...metadata }, hash: bytes(hash) },
    operation: operationTable[operation].wireNumber,
    amountMinor: amountMinor < 0n ? -amountMinor : amountMinor,
    direction: amountMinor < 0n ? Direction.DEBIT : Direction.CREDIT,
    occurredAt: new Date(occurredAtMs),
  });
}

function toAnswers(): Answer[] {
  const { start } = only('start')[0]!;
  const { leaf } = only('leaf')[0]!;
  const { checkpoint } = only('checkpoint')[0]!;
  const head = StatementProofHead.fromPartial({
    ...{ walletId: wallet.walletId, userId: wallet.userId, currency: wallet.currency },
    ...{ firstSeq: BigInt(range.firstSeq), lastSeq: BigInt(range.lastSeq) },
    ...{ previousSeq: start.seq, previousHash: bytes(start.hash) },
    ...{ leafSeq: leaf.seq, leafHash: bytes(leaf.hash), leafIndex: leaf.index },
    ...{ path: leaf.path.map(bytes), checkpointText: checkpoint.text },
    ...{ signature: checkpoint.signature, publicKey: checkpoint.publicKey },
  });
  const entries = made.parts.flatMap((part) => ('entry' in part ? [part.entry] : []));
  const digests = only('digest').map(({ digest }) => bytes(digest));
  return [
    { part: { $case: 'head', value: head } },
    { part: { $case: 'entries', value: { entries: entries.map(toTransaction) } } },
    { part: { $case: 'digests', value: { digests } } },
  ];
}

const key = createModelKey();

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wallet-proof-'));
  made = makeModelProof(wallets, wallet, range, key);
  [requests, change] = [[], (answers) => answers];
  const { walletId, userId, currency, fromMs, toMs } = only('statement')[0]!.statement;
  const exported = () =>
    Export.fromPartial({
      ...{ id, userId, walletId, currency, timezone: 'UTC', locale: 'en' },
      ...{ from: new Date(fromMs), to: new Date(toMs), format: ExportFormat.CSV, rows: 5n },
      ...{ status: ExportStatus.DONE, bytes: BigInt(made.file.length) },
      sha256: createHash('sha256').update(made.file).digest('hex'),
    });
  server = await startFakeServer({
    createExport: () => ({ export: exported(), replayed: false }),
    getExport: () => ({ export: exported() }),
    downloadExport: async function* () {
      yield await Promise.resolve({ data: made.file });
    },
    getStatementProof: async function* (request: GetStatementProofRequest) {
      requests.push(request);
      const answers = await Promise.resolve(change(toAnswers()));
      if (answers instanceof Error) throw answers;
      yield* answers;
    },
  });
  cli = await createCli({ WALLET_SERVER: server.address, WALLET_TOKEN: fakeToken() });
});

afterEach(async () => {
  server.crash();
  await cli.remove();
  await rm(folder, { recursive: true, force: true });
});

const pathOf = (name: string): string => join(folder, name);
const exportTo = (name: string, args: readonly string[] = []) =>
  cli.run(['statement', 'export', '--file', pathOf(name), '--proof', ...args]);
const verify = (name: string, args: readonly string[] = []) =>
  cli.run(['statement', 'verify', pathOf(name), ...args], {
    env: { WALLET_SERVER: '127.0.0.1:1' },
  });

describe('export --proof', () => {
  test('export --proof writes a proof with which the file is verified without a server', async () => {
    expect(await exportTo('a.csv', ['--json'])).toMatchObject({ exitCode: 0 });
    expect((await readdir(folder)).sort()).toEqual(['a.csv', 'a.csv.proof.json']);
    expect(requests).toMatchObject([{ userId: wallet.userId, hideNeighbours: false }]);
    server.crash();
    const verified = await verify('a.csv', ['--json']);
    expect(verified).toMatchObject({ exitCode: 0, err: '' });
    expect(JSON.parse(verified.out)).toMatchObject({
      ...{ lines: 5, firstSeq: 4, lastSeq: 8, walletId: wallet.walletId, periodProved: true },
      checkpoint: { wallets: 3, keyOrigin: 'known', keyServer: server.address },
    });
    const shown = await verify('a.csv');
    expect(shown.out).toContain('5: entries 4 to 8 of the ledger');
  });

  test('a later download gets the proof of a file that has none', async () => {
    change = () => refusal('CHECKPOINT_PENDING', 'no checkpoint yet', { nextAt: 'soon' });
    const early = await exportTo('a.csv');
    expect(early).toMatchObject({ exitCode: 7 });
    expect(early.err).toContain('CHECKPOINT_PENDING');
    const command = `wallet exports download ${id} --file ${pathOf('a.csv')} --proof --yes`;
    expect(early.err).toContain(command);
    expect(await readFile(pathOf('a.csv'))).toEqual(made.file);
    change = (answers) => answers;
    expect(await cli.run(command.split(' ').slice(1))).toMatchObject({ exitCode: 0 });
    expect(await verify('a.csv')).toMatchObject({ exitCode: 0 });
  });

  test('an existing proof is overwritten with --yes only', async () => {
    await writeFile(pathOf('a.csv.proof.json'), 'precious');
    const ran = await exportTo('a.csv');
    expect(ran).toMatchObject({ exitCode: 2 });
    expect(ran.err).toContain('a.csv.proof.json exists');
    expect(requests).toEqual([]);
    expect(await readFile(pathOf('a.csv.proof.json'), 'utf8')).toBe('precious');
    expect(await exportTo('a.csv', ['--yes'])).toMatchObject({ exitCode: 0 });
    expect(await verify('a.csv')).toMatchObject({ exitCode: 0 });
  });

  test('a proof needs a file, and --hide-neighbours needs a proof', async () => {
    const run = (...args: string[]) => cli.run(['statement', 'export', ...args]);
    expect(await run('--proof', '--file', '-')).toMatchObject({ exitCode: 2 });
    expect(await run('--proof', '--no-wait')).toMatchObject({ exitCode: 2 });
    expect(await run('--hide-neighbours')).toMatchObject({ exitCode: 2 });
    const download = ['exports', 'download', id, '--file', '-', '--proof'];
    expect(await cli.run(download)).toMatchObject({ exitCode: 2 });
  });

  test('--hide-neighbours asks for a proof without them, which leaves the period open', async () => {
    made = makeModelProof(wallets, wallet, { ...range, hidesNeighbours: true }, key);
    expect(await exportTo('a.csv', ['--hide-neighbours'])).toMatchObject({ exitCode: 0 });
    expect(requests).toMatchObject([{ hideNeighbours: true }]);
    const verified = await verify('a.csv');
    expect(verified).toMatchObject({ exitCode: 10 });
    expect(verified.err).toContain('not proved: that no other entry belongs to the period');
  });

  const wrong: Readonly<Record<string, (answers: Answer[]) => Answer[]>> = {
    'another amount': (answers) =>
      answers.map((answer) => {
        const { part } = answer;
        if (part?.$case !== 'entries') return answer;
        const entries = part.value.entries.map((e) => ({ ...e, amountMinor: e.amountMinor + 1n }));
        return { part: { $case: 'entries' as const, value: { entries } } };
      }),
    'no digests': (answers) => answers.slice(0, 2),
    'another leaf': ([first, ...rest]) =>
      first?.part?.$case === 'head'
        ? [
            {
              part: {
                $case: 'head',
                value: { ...first.part.value, leafIndex: first.part.value.leafIndex + 1n },
              },
            },
            ...rest,
          ]
        : rest,
  };
  test.each(Object.entries(wrong))(
    'a proof that does not hold is not kept: %s',
    async (_of, by) => {
      change = by;
      const ran = await exportTo('a.csv');
      expect(ran).toMatchObject({ exitCode: 1 });
      expect(ran.err).toContain('STATEMENT_MISMATCH');
      expect(await readdir(folder)).not.toContain('a.csv.proof.json');
      expect(await readdir(cli.configDir).catch(() => [])).not.toContain('checkpoint-keys.json');
    },
  );

  const broken: Readonly<Record<string, (answers: Answer[]) => Answer[]>> = {
    'nothing at all': () => [],
    'no head': (answers) => answers.slice(1),
    'entries behind digests': ([head, entries, digests]) => [head!, digests!, entries!],
    'a part of a newer server': (answers) => [...answers, { part: undefined }],
    'an unknown operation': ([head]) => [
      head!,
      {
        part: {
          $case: 'entries',
          value: { entries: [Transaction.fromPartial({ operation: 77 as never })] },
        },
      },
    ],
  };
  test.each(Object.entries(broken))(
    'an answer that is no proof is refused: %s',
    async (_of, by) => {
      change = by;
      const ran = await exportTo('a.csv');
      expect(ran).toMatchObject({ exitCode: 1 });
      expect(ran.err).toContain('UNEXPECTED');
      expect(await readdir(folder)).not.toContain('a.csv.proof.json');
    },
  );
});

describe('the key of a proof', () => {
  test('a changed key of a server is kept with a warning, and the old one stays known', async () => {
    await exportTo('a.csv');
    made = makeModelProof(wallets, wallet, range, createModelKey());
    const ran = await exportTo('b.csv');
    expect(ran).toMatchObject({ exitCode: 0 });
    expect(ran.err).toContain('signs its checkpoints with another key than before');
    for (const name of ['a.csv', 'b.csv']) {
      expect(await verify(name)).toMatchObject({ exitCode: 0 });
    }
    expect((await exportTo('c.csv')).err).not.toContain('another key');
  });

  test('a key that no server gave and no file has is refused', async () => {
    await exportTo('a.csv');
    const stranger = { WALLET_CONFIG_DIR: pathOf('other') };
    const run = (...args: string[]) =>
      cli.run(['statement', 'verify', pathOf('a.csv'), ...args], { env: stranger });
    const unknown = await run();
    expect(unknown).toMatchObject({ exitCode: 10, out: '' });
    expect(unknown.err).toContain('PROOF_KEY_UNKNOWN');
    const keyFile = pathOf('keys.pem');
    await writeFile(keyFile, createModelKey().publicKey);
    expect(await run('--key', keyFile)).toMatchObject({ exitCode: 10 });
    await writeFile(keyFile, `old: ${createModelKey().publicKey}new: ${key.publicKey}`);
    expect(await run('--key', keyFile)).toMatchObject({ exitCode: 0 });
    for (const bad of ['', 'no key', '-----BEGIN PUBLIC KEY-----\nxx\n-----END PUBLIC KEY-----']) {
      await writeFile(keyFile, bad);
      expect(await run('--key', keyFile)).toMatchObject({ exitCode: 2 });
    }
  });
});
