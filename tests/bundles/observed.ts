import { inflateRawSync } from 'node:zlib';

import type { Site } from '../faults/site.ts';
import { readFinalRows, type FinalRows } from '../support/ledger/final-rows.ts';
import { queryService } from '../support/ledger/ledger.ts';
import type { Heard } from './listener.ts';

export type LetterRow = {
  readonly message_id: string | null;
  readonly reason: string;
  readonly field: string | null;
  /** What was received, each byte as a character. */
  readonly content: string;
};

/** All that the run has left behind. Mutants change it after the fact. */
export type Observed = FinalRows & {
  readonly letters: readonly LetterRow[];
  readonly heard: readonly Heard[];
};

export async function observe({ dataDir }: Site, heard: readonly Heard[]): Promise<Observed> {
  const rows = await readFinalRows(dataDir);
  const letters = [
    ...(await readLetters(dataDir, 'wallet')),
    ...(await readLetters(dataDir, 'statement')),
  ];
  return { ...rows, letters, heard };
}

async function readLetters(dataDir: string, service: string): Promise<LetterRow[]> {
  const rows = await queryService<LetterRow & { body: string; raw: Buffer | null }>(
    ...([
      dataDir,
      service,
      'SELECT message_id, reason, field, body, raw FROM dead_letters',
    ] as const),
  );
  return rows.map(({ message_id, reason, field, body, raw }) => ({
    ...{ message_id, reason, field },
    content: (raw ? inflateRawSync(raw) : Buffer.from(body)).toString('latin1'),
  }));
}
