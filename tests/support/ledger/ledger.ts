import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import type pg from 'pg';

import type { TestDatabase } from '../postgres/database.ts';
import { findLedgerFaults } from './faults.ts';
import { queryUrl } from '../postgres/client.ts';

type Secrets = {
  socketDir: string;
  adminPassword: string;
  passwords: Record<string, { owner: string; runtime: string }>;
};

/** Where the embedded Postgres of a data folder answers, for a role of one of its databases. */
export async function readUrls(dataDir: string) {
  const text = await readFile(join(dataDir, 'embedded.json'), 'utf8');
  const { socketDir, adminPassword, passwords } = JSON.parse(text) as Secrets;
  const host = encodeURIComponent(socketDir);
  const url = (role: string, password: string, database: string) =>
    `postgres://${role}:${encodeURIComponent(password)}@localhost/${database}?host=${host}`;
  return {
    socketDir,
    runtime: (name: string) => url(`${name}_app`, passwords[name]?.runtime ?? '', name),
    owner: (name: string) => url(`${name}_owner`, passwords[name]?.owner ?? '', name),
    admin: (name: string) => url('walletd_admin', adminPassword, name),
  };
}

/** Queries a service's database of a running daemon, past the daemon. */
export async function queryService<Row extends pg.QueryResultRow>(
  dataDir: string,
  service: string,
  text: string,
  values: unknown[] = [],
): Promise<Row[]> {
  const { owner } = await readUrls(dataDir);
  return queryUrl<Row>(owner(service), text, values);
}

/**
 * Everything that is wrong: within the ledger, and between it, the statement lines and the outbox.
 */
export const findFaults = (dataDir: string): Promise<string[]> =>
  compareDatabases(
    (service) =>
      <Row extends pg.QueryResultRow>(text: string, values?: unknown[]) =>
        queryService<Row>(dataDir, service, text, values),
  );

/** The same of databases anywhere. */
export async function compareDatabases(
  ask: (service: 'wallet' | 'statement') => TestDatabase['query'],
): Promise<string[]> {
  const faults = await findLedgerFaults({ query: ask('wallet') });
  type Line = {
    wallet_id: string;
    seq: string;
    hash: Buffer;
    balance_after: string;
    amount: string;
  };
  const columns = 'wallet_id, seq, hash, balance_after, amount';
  const entries = await ask('wallet')<Line>(`SELECT ${columns} FROM transactions`);
  const lines = await ask('statement')<Line>(`SELECT ${columns} FROM statement_lines`);
  const textOf = (line: Line) =>
    `${line.wallet_id} ${line.seq} ${line.hash.toString('hex')} ${line.balance_after} ${line.amount}`;
  const projected = new Set(lines.map(textOf));
  faults.push(
    ...entries
      .map(textOf)
      .filter((text) => !projected.has(text))
      .map((t) => `no line: ${t}`),
  );
  if (lines.length !== entries.length)
    faults.push(`${lines.length} lines, ${entries.length} entries`);
  return faults;
}

/** Waits until this is so, looking every 100 ms. */
export async function waitUntil(
  what: string,
  isSo: () => Promise<boolean>,
  timeoutMs = 60_000,
): Promise<void> {
  const endsAt = Date.now() + timeoutMs;
  while (!(await isSo())) {
    if (Date.now() > endsAt) throw new Error(`not so within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
