import { setTimeout as sleep } from 'node:timers/promises';

import { queryService } from '../../support/ledger/ledger.ts';
import type { RunRecord } from '../record/record.ts';

const pollMs = 200;
/** So often in a row everything has to be as it was. */
const calmPolls = 3;

const countIn = async (dataDir: string, service: string, table: string): Promise<number> => {
  const text = `SELECT count(*)::int AS count FROM ${table}`;
  return (await queryService<{ count: number }>(dataDir, service, text))[0]?.count ?? -1;
};

/**
 * Until every entry is a line and an event, every message has its outcome, and nothing moves; for
 * `maxMs` at most, since what a defect has lost does not come any more.
 */
export async function waitForRest(
  dataDir: string,
  record: RunRecord,
  maxMs: number,
): Promise<void> {
  const endsAtMs = performance.now() + maxMs;
  let last = '';
  for (let calm = 0; calm < calmPolls && performance.now() < endsAtMs;) {
    const entries = await countIn(dataDir, 'wallet', 'transactions');
    const lines = await countIn(dataDir, 'statement', 'statement_lines');
    const outbox = await countIn(dataDir, 'wallet', 'outbox');
    const { attempts, heard, rejections } = record.history();
    const places = new Set(heard.map(({ walletId, seq }) => `${walletId} ${seq}`));
    const answered = new Set([...heard, ...rejections].map(({ transactionId }) => transactionId));
    const waiting = attempts.filter(
      ({ over, command }) => over === 'message' && !answered.has(command.transactionId),
    );
    const state = [entries, lines, outbox, places.size, waiting.length].join();
    const isAtRest =
      outbox === 0 && lines >= entries && places.size >= entries && waiting.length === 0;
    calm = isAtRest && state === last ? calm + 1 : 0;
    last = state;
    await sleep(pollMs);
  }
}
