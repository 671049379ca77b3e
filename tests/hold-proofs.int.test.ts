import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  toDigestPart,
  toEntryPart,
  toFirstParts,
  toLastParts,
} from '../cli/commands/statements/proof/wire.ts';
import { createStatementWriter } from '../core/statement-format/index.ts';
import { verifyStatement, type ProofEntry } from '../core/statement-proof/index.ts';
import type { Principal } from '../daemon/platform/access/access.ts';
import { takeCheckpoint } from '../daemon/wallet/checkpoints/take.ts';
import { createKnownUsers } from '../daemon/wallet/requests/users.ts';
import { getStatementProof } from '../daemon/wallet/rpc/statement-proof.ts';
import { contextOf } from '../daemon/wallet/rpc/test-support.ts';
import { Export, ExportFormat } from '../protos/gen/digitalwallet/statement/v1/statement.ts';
import {
  GetStatementProofRequest,
  type StatementProofHead,
} from '../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { brlWalletOf } from './support/ledger/build-command.ts';
import { fillWithHolds } from './support/hold-program.ts';
import { printModelProof } from './support/ledger/proof-model.ts';
import { createTestDatabase, type TestDatabase } from './support/postgres/database.ts';

const [ana, bia] = [randomUUID(), randomUUID()];
const wallet = brlWalletOf(ana);
const hourMs = 3_600_000;
const { privateKey, publicKey } = generateKeyPairSync('ed25519');
let ledger: TestDatabase;

beforeAll(async () => {
  ledger = await createTestDatabase('wallet');
  await fillWithHolds(ledger.db, { ana, bia });
});
afterAll(() => ledger.drop());

describe('a proof of a statement with holds', () => {
  it('a file with its holds is proved, and so is one without', async () => {
    await sleep(5);
    const toMs = Date.now();
    await sleep(5);
    expect(await takeCheckpoint(ledger.db, { key: privateKey, publicKey })).toBeDefined();
    const period = { from: new Date(toMs - hourMs), to: new Date(toMs) };
    const { head, entries, digests } = await askProof(period);
    for (const includeHolds of [true, undefined]) {
      const made = Export.fromPartial({
        ...{ walletId: wallet.id, userId: ana, currency: 'BRL', timezone: 'UTC', locale: 'en' },
        ...{ ...period, format: ExportFormat.CSV, includeHolds },
      });
      const parts = [
        ...toFirstParts(made, head),
        ...entries.map((entry) => toEntryPart(head, entry)!),
        ...digests.map(toDigestPart),
        ...toLastParts(head),
      ];
      const proved = parts.flatMap((part) => (part.kind === 'line' ? [part.entry] : []));
      const file = writeFile(proved, period, includeHolds === true);
      const verdict = await check(printModelProof(parts), file);
      expect(verdict).toMatchObject({
        ok: true,
        value: {
          isPeriodProved: true,
          lines: { count: 13n, holdCount: 6n, closingMinor: -10_000n, heldClosingMinor: 0n },
        },
      });
    }
  });
});

async function askProof(period: { readonly from: Date; readonly to: Date }) {
  const users = createKnownUsers((ids) => Promise.resolve(new Set(ids)));
  const trail = { record: () => Promise.resolve() };
  const principal: Principal = {
    ...{ kind: 'user', userId: ana, role: 'customer', sessionId: 's', apiKey: undefined },
  };
  const request = GetStatementProofRequest.fromPartial({ userId: ana, currency: 'BRL', ...period });
  const options = { db: ledger.db, defaultCurrency: 'BRL', users, trail };
  const answered = await getStatementProof(options, request, contextOf({ principal }));
  if (!answered.ok) throw new Error(answered.rejection.message);
  let head: StatementProofHead | undefined;
  const [entries, digests]: [Parameters<typeof toEntryPart>[1][], Uint8Array[]] = [[], []];
  for await (const { part } of answered.value) {
    if (part?.$case === 'head') head = part.value;
    if (part?.$case === 'entries') entries.push(...part.value.entries);
    if (part?.$case === 'digests') digests.push(...part.value.digests);
  }
  if (!head) throw new Error('no head');
  return { head, entries, digests };
}

function writeFile(
  entries: readonly ProofEntry[],
  { from, to }: { readonly from: Date; readonly to: Date },
  hasHolds: boolean,
): Buffer {
  const sum = (sign: bigint) =>
    entries.reduce((all, { amountMinor: a }) => (a * sign > 0n ? all + a * sign : all), 0n);
  const head = {
    ...{ walletId: wallet.id, currency: 'BRL', timezone: 'UTC' },
    ...{ fromMs: from.getTime(), toMs: to.getTime(), openingMinor: 0n, closingMinor: -10_000n },
    ...{ totalDebitMinor: sum(-1n), totalCreditMinor: sum(1n) },
    heldClosingMinor: hasHolds ? 0n : undefined,
  };
  const writer = createStatementWriter('csv', head, { locale: 'en', hasByteOrderMark: false });
  const shown = entries.filter(({ amountMinor }) => hasHolds || amountMinor !== 0n);
  const texts = shown.map(({ more, ...entry }) =>
    writer.line({
      ...{ ...entry, transactionId: entry.id },
      ...{ heldMinor: more?.heldMinor, heldAfterMinor: more?.heldAfterMinor },
    }),
  );
  return Buffer.from([writer.begin(), ...texts, writer.end()].join(''));
}

function check(proof: Buffer, file: Buffer) {
  const chunks = async function* () {
    yield await Promise.resolve(proof);
  };
  const rest = [file];
  return verifyStatement(chunks, {
    read: () => Promise.resolve(rest.shift() ?? Buffer.alloc(0)),
  });
}
