import { randomUUID } from 'node:crypto';

import { queryService } from '../ledger/ledger.ts';

/** A dead letter to be put into a service's table, as its consumer would. */
export type GivenLetter = {
  readonly id: string;
  readonly messageId: string | undefined;
  readonly body: string;
  readonly reason?: string;
};

export const letterOf = (body: string, fields: Partial<GivenLetter> = {}): GivenLetter => ({
  id: randomUUID(),
  messageId: randomUUID(),
  body,
  ...fields,
});

/** Puts dead letters into the table of a service of a running daemon. */
export async function buryIn(
  dataDir: string,
  service: 'wallet' | 'statement',
  letters: readonly GivenLetter[],
): Promise<void> {
  await queryService(
    dataDir,
    service,
    `INSERT INTO dead_letters (id, queue, message_id, reason, body, is_truncated)
     SELECT *, false FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[])`,
    [
      letters.map(({ id }) => id),
      letters.map(() => `${service}_queue`),
      letters.map(({ messageId }) => messageId ?? null),
      letters.map(({ reason }) => reason ?? 'UNKNOWN'),
      letters.map(({ body }) => body),
    ],
  );
}
