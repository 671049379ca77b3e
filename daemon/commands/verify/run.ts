import { isUuid } from '../../../core/ids.ts';
import type { LedgerFinding } from '../../../core/ledger-check/index.ts';
import {
  connectDatabase,
  openDatabases,
  prepareSchemas,
  type Databases,
} from '../../databases/databases.ts';
import { explainLoss } from '../../databases/faults.ts';
import type { Outcome } from '../../fault.ts';
import { untilAborted } from '../../platform/concurrency/abort.ts';
import type { Db } from '../../platform/db/db.ts';
import { createLifecycle, type Lifecycle } from '../../platform/lifecycle.ts';
import { countPendingLetters, withLines } from '../../statement/index.ts';
import { countPendingMessages, verifyLedger, type VerifyPart } from '../../wallet/index.ts';
import type { HostRun } from '../host-run.ts';
import { commandPool, noDatabase } from '../service-database.ts';
import { settleMissing } from './settle.ts';

export type VerifyRequest = {
  readonly walletId: string | undefined;
  /** Leave the statement lines out. */
  readonly isLedgerOnly: boolean;
};

export type VerifyTotals = {
  wallets: number;
  transactions: number;
  findings: number;
  /** Entries whose event is in the outbox. */
  unsent: number;
  /** Pending dead letters of both services. */
  deadLetters: number;
  /** False where there is no statement database here, or it was left out. */
  hasLines: boolean;
};

export type VerifyListener = {
  onFinding(finding: LedgerFinding): void;
  onProgress(totals: VerifyTotals): void;
};

/** Two pages of each of these are in memory. */
const pageSize = { bytes: 1024 * 1024, rows: 10_000 };
const readers = 2;
/** Of entries whose lines may be on their way; with more, the pass waits for them. */
const maxMissing = 200_000;
/** A span may wait long for the others: nothing is locked meanwhile. */
const pool = { isByKey: true, idleInTransactionMs: 3_600_000 };

/**
 * Checks the ledger, and the statement lines against it, in the databases themselves. Works beside
 * running daemons, and starts the embedded Postgres for itself where none runs. Changes nothing.
 */
export async function verifyOnHost(
  run: HostRun,
  request: VerifyRequest,
  listener: VerifyListener,
): Promise<Outcome<VerifyTotals>> {
  const { walletId } = request;
  if (walletId !== undefined && !isUuid(walletId)) {
    const fault = `${walletId} is not the id of a wallet`;
    return { ok: false, fault: { fault, hint: '`wallet wallets list` shows the ids' } };
  }
  const { config, log, signal } = run;
  const lifecycle = createLifecycle(log);
  try {
    const opened = await openDatabases(config, log, 'use', signal);
    if (!opened.ok) return opened;
    lifecycle.defer('databases', () => opened.value.stop());
    const wallet = await connect('wallet', opened.value, run, lifecycle);
    if (!wallet.ok) return wallet;
    const hasLines = !request.isLedgerOnly && opened.value.urls.statement !== undefined;
    const statement = hasLines ? await connect('statement', opened.value, run, lifecycle) : undefined;
    if (statement?.ok === false) return statement;
    const dbs = { wallet: wallet.value, statement: statement?.value };
    const verifying = () => verifyBoth(dbs, walletId, listener, signal);
    // It changes nothing: what is under way is not waited for.
    return await untilAborted(signal, explainLoss('wallet', run, verifying));
  } finally {
    await lifecycle.release(10_000);
  }
}

async function connect(
  name: 'wallet' | 'statement',
  databases: Databases,
  { config, log, signal }: HostRun,
  lifecycle: Lifecycle,
): Promise<Outcome<Db>> {
  const url = databases.urls[name]?.url;
  if (url === undefined) return { ok: false, fault: noDatabase(name) };
  const unready = await prepareSchemas(databases, [name], false, log, signal);
  if (unready) return { ok: false, fault: unready };
  const options = { ...commandPool(signal), ...pool };
  const connected = await connectDatabase(name, url, config, log, options);
  if (connected.ok) lifecycle.defer(`database ${name}`, () => connected.value.close());
  return connected;
}

async function verifyBoth(
  { wallet, statement }: { readonly wallet: Db; readonly statement: Db | undefined },
  walletId: string | undefined,
  { onFinding, onProgress }: VerifyListener,
  signal: AbortSignal,
): Promise<VerifyTotals> {
  const totals: VerifyTotals = {
    ...{ wallets: 0, transactions: 0, findings: 0, unsent: 0, deadLetters: 0 },
    hasLines: statement !== undefined,
  };
  let missing: { readonly walletId: string; readonly seq: bigint }[] = [];
  const report = (findings: readonly LedgerFinding[]): void => {
    totals.findings += findings.length;
    for (const finding of findings) onFinding(finding);
  };
  const settle = async (): Promise<void> => {
    const places = missing;
    missing = [];
    if (!statement || places.length === 0) return;
    const settled = await settleMissing({ wallet, statement }, places, signal);
    totals.unsent += settled.unsent;
    report(settled.findings);
  };
  const onPart = async (part: VerifyPart): Promise<void> => {
    signal.throwIfAborted();
    totals.wallets += part.wallets;
    totals.transactions += part.transactions;
    report(part.findings);
    for (const place of part.missing) missing.push(place);
    onProgress(totals);
    if (missing.length > maxMissing) await settle();
  };
  const options = { db: wallet, walletId, readers, size: pageSize, onPart };
  // The lines first: each of them then has its entry in the ledger that is read.
  if (statement) {
    await withLines(statement, readers, (lines) => verifyLedger({ ...options, lines }));
  } else await verifyLedger(options);
  await settle();
  totals.deadLetters =
    (await countPendingMessages(wallet)) + (statement ? await countPendingLetters(statement) : 0);
  return totals;
}
