import { inflateRawSync } from 'node:zlib';

import { queryService } from '../support/ledger/ledger.ts';
import type { Site } from '../faults/site.ts';
import { poisonKinds, type Poison } from './kinds.ts';
import type { Sent } from './send.ts';

export type Verdict = {
  /** One line for each kind: how many were sent, and how many are in the table. */
  readonly table: readonly string[];
  readonly violations: readonly string[];
};

type Letter = {
  readonly id: string;
  readonly message_id: string | null;
  readonly reason: string;
  readonly field: string | null;
  readonly body: string;
  readonly raw: Buffer | null;
  readonly received_count: number;
};

const keptBytes = 256 * 1024;

const readLetters = async (site: Site): Promise<Letter[]> => {
  const text = `SELECT id, message_id, reason, field, body, raw, received_count FROM dead_letters
    WHERE state = 'pending'`;
  const services = ['wallet', 'statement'] as const;
  return (
    await Promise.all(services.map((s) => queryService<Letter>(site.dataDir, s, text)))
  ).flat();
};

/**
 * Good: once in the ledger and once as a line. Bad: in the table, as it was sent and for its own
 * reason.
 */
export async function evaluate(site: Site, sent: Sent): Promise<Verdict> {
  const violations: string[] = [];
  await judgeGood(site, sent, violations);
  const letters = await readLetters(site);
  const found = new Map<Poison, Letter[]>();
  const named = new Map(sent.bad.map((poison) => [poison.messageId ?? textOf(poison), poison]));
  for (const letter of letters) {
    const poison = named.get(letter.message_id ?? contentOf(letter).toString('latin1'));
    if (poison) found.set(poison, [...(found.get(poison) ?? []), letter]);
    else violations.push(`a dead letter of a good message: ${letter.message_id} ${letter.reason}`);
  }
  for (const poison of sent.bad) judgeBad(poison, found.get(poison) ?? [], violations);
  const table = poisonKinds.map((kind) => {
    const of = sent.bad.filter((poison) => poison.kind === kind);
    const kept = of.filter((poison) => found.has(poison)).length;
    return `${kind.padEnd(44)} sent ${of.length}, in the table ${kept}`;
  });
  return { table, violations };
}

const contentOf = ({ body, raw }: Letter): Buffer =>
  raw ? inflateRawSync(raw) : Buffer.from(body);
const textOf = ({ body }: Poison): string => body.toString('latin1');

async function judgeGood({ dataDir }: Site, { good }: Sent, violations: string[]): Promise<void> {
  for (const [service, text] of [
    ['wallet', 'SELECT id FROM transactions'],
    ['statement', 'SELECT transaction_id AS id FROM statement_lines'],
  ] as const) {
    const rows = await queryService<{ id: string }>(dataDir, service, text);
    const ids = new Set(rows.map(({ id }) => id));
    const lost = [...good].filter((id) => !ids.has(id)).length;
    const extra = rows.filter(({ id }) => !good.has(id)).length;
    const doubled = rows.length - ids.size;
    if (lost > 0) violations.push(`${service}: ${lost} good ones are lost`);
    if (extra > 0) violations.push(`${service}: ${extra} rows are of no good one`);
    if (doubled > 0) violations.push(`${service}: ${doubled} were done twice`);
  }
}

function judgeBad(poison: Poison, letters: readonly Letter[], violations: string[]): void {
  const { kind, reason, field, body, messageId } = poison;
  if (letters.length === 0) violations.push(`${kind}: not in the table`);
  // Without a key the same message may become two dead letters if a process is killed.
  if (messageId !== undefined && letters.length > 1) violations.push(`${kind}: in the table twice`);
  for (const letter of letters) {
    if (letter.reason !== reason || letter.field !== field) {
      violations.push(`${kind}: has the reason ${letter.reason} ${letter.field}`);
    }
    if (!contentOf(letter).equals(body.subarray(0, keptBytes)))
      violations.push(`${kind}: not as sent`);
  }
}
