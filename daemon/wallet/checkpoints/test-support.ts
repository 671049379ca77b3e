import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';

import { buildCommand } from '../../../tests/support/ledger/build-command.ts';
import { createTestDatabase } from '../../../tests/support/postgres/database.ts';
import { createOptimisticCommit } from '../commit/optimistic-commit.ts';
import { compareCheckpoint, type CheckpointFinding } from './compare.ts';
import { exportCheckpoint } from './export.ts';
import { readExport } from './read-export.ts';
import type { StoredCheckpoint } from './store.ts';
import { takeCheckpoint, type Signer } from './take.ts';

export function createSigner(): Signer {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return { key: privateKey, publicKey };
}

/** A ledger of five users with three deposits each, and a key. */
export async function createCheckpointLedger() {
  const test = await createTestDatabase('wallet');
  const signer = createSigner();
  const users = Array.from({ length: 5 }, () => randomUUID());
  const deposit = async (user: string, count = 1): Promise<void> => {
    await createOptimisticCommit(test.db)(Array.from({ length: count }, () => buildCommand(user)));
  };
  for (const user of users) await deposit(user, 3);
  return {
    ...{ test, signer, users, deposit },
    take: async (by: Signer = signer): Promise<StoredCheckpoint> => {
      const taken = await takeCheckpoint(test.db, by);
      if (!taken) throw new Error('no checkpoint was taken');
      return taken;
    },
    exportText: async (number: bigint): Promise<string> => {
      const parts = await exportCheckpoint(test.db, number);
      if (!parts) throw new Error(`there is no checkpoint ${number}`);
      let text = '';
      for await (const part of parts) text += part;
      return text;
    },
    compare: async (text: string): Promise<CheckpointFinding[]> => {
      const read = await readExport(Readable.from([text]));
      if (!read.ok) throw new Error(read.rejection.message);
      const findings: CheckpointFinding[] = [];
      for await (const page of compareCheckpoint(test.db, read.value.leaves)) {
        findings.push(...page.findings);
      }
      return findings;
    },
  };
}

export type CheckpointLedger = Awaited<ReturnType<typeof createCheckpointLedger>>;
