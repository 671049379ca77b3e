import type { Checkpoint } from '../../../core/checkpoint.ts';
import { isUuid } from '../../../core/ids.ts';
import type { LedgerFinding } from '../../../core/ledger-check/index.ts';
import { openDatabases } from '../../databases/databases.ts';
import { explainLoss } from '../../databases/faults.ts';
import { succeed, type Outcome } from '../../fault.ts';
import { untilAborted } from '../../platform/concurrency/abort.ts';
import type { Db } from '../../platform/db/db.ts';
import { createLifecycle } from '../../platform/lifecycle.ts';
import { countPendingLetters, withLines } from '../../statement/index.ts';
import { countPendingMessages, verifyLedger, type VerifyPart } from '../../wallet/index.ts';
import type { HostRun } from '../host-run.ts';
import { connectService } from '../service-database.ts';
import { checkExport, compareWith, type AgainstRequest } from './against.ts';
import { settleMissing } from './settle.ts';

export type VerifyRequest = {
  readonly walletId: string | undefined;
  /** Leave the statement lines out. */
  readonly isLedgerOnly: boolean;
  /** An exported checkpoint to compare with. */
  readonly against?: AgainstRequest | undefined;
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
  /** What the ledger was compared with, and how many of its wallets. */
  against?: { readonly checkpoint: Checkpoint; readonly wallets: number };
};

export type VerifyListener = {
  onFinding(finding: LedgerFinding): void;
  onProgress(totals: VerifyTotals): void;
};

/** Two pages of each of these are in memory. */
const pageSize = { bytes: 256 * 1024, rows: 2_000 };
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
    const wallet = await connectService('wallet', opened.value, run, lifecycle, pool);
    if (!wallet.ok) return wallet;
    const hasLines = !request.isLedgerOnly && opened.value.urls.statement !== undefined;
    const statement = hasLines
      ? await connectService('statement', opened.value, run, lifecycle, pool)
      : undefined;
    if (statement?.ok === false) return statement;
    const dbs = { wallet: wallet.value, statement: statement?.value };
    const verifying = () => verifyAll(dbs, request, listener, signal);
    // It changes nothing: what is under way is not waited for.
    const done = await untilAborted(signal, explainLoss('wallet', run, verifying));
    return done.ok ? done.value : done;
  } finally {
    await lifecycle.release(10_000);
  }
}

type Dbs = { readonly wallet: Db; readonly statement: Db | undefined };

async function verifyAll(
  dbs: Dbs,
  { walletId, against }: VerifyRequest,
  listener: VerifyListener,
  signal: AbortSignal,
): Promise<Outcome<VerifyTotals>> {
  const valid = against && (await checkExport(dbs.wallet, against));
  if (valid?.ok === false) return valid;
  const totals = await verifyBoth(dbs, walletId, listener, signal);
  if (!against || !valid) return succeed(totals);
  const report = (findings: readonly LedgerFinding[]): void => {
    totals.findings += findings.length;
    for (const finding of findings) listener.onFinding(finding);
  };
  const compared = await compareWith(dbs.wallet, against, valid.value, report, signal);
  if (!compared.ok) return compared;
  const { checkpoint } = valid.value;
  return succeed({ ...totals, against: { checkpoint, wallets: compared.value } });
}

async function verifyBoth(
  { wallet, statement }: Dbs,
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
