import { isUuid } from '../../core/ids.ts';
import { explainLoss } from '../databases/faults.ts';
import { openDatabases, type Databases } from '../databases/databases.ts';
import type { Outcome } from '../fault.ts';
import { createWalletPeer } from '../peers.ts';
import { untilAborted } from '../platform/concurrency/abort.ts';
import type { Db } from '../platform/db/db.ts';
import { findSecretReader } from '../host/account.ts';
import { findTransientRejection } from '../platform/transient-rejection.ts';
import { createLifecycle, type Lifecycle } from '../platform/lifecycle.ts';
import { callRemote } from '../peer-clients.ts';
import { readServiceCredential } from '../config/secrets.ts';
import { rebuildOnHost, type ReadLedger, type RebuildProgress } from '../statement/index.ts';
import { openTlsFiles } from '../config/tls-files.ts';
import type { HostRun } from './host-run.ts';
import { connectService } from './service-database.ts';
import { streamLedger } from '../wallet/index.ts';

/**
 * Makes the statement database equal to the ledger, of one wallet or all. Works beside running
 * daemons, and starts the embedded Postgres for itself where none runs. The ledger is read by the
 * wallet service's own code where this host has its database, otherwise over gRPC.
 */
export async function rebuildStatements(
  run: HostRun,
  walletId: string | undefined,
  onProgress: (progress: RebuildProgress) => void,
): Promise<Outcome<RebuildProgress>> {
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
    const statement = await connectService('statement', opened.value, run, lifecycle);
    if (!statement.ok) return statement;
    const ledger = await openLedger(opened.value, run, lifecycle);
    if (!ledger.ok) return ledger;
    const { searchKeys } = config;
    const options = { db: statement.value, readLedger: ledger.value, searchKeys };
    const rebuild = async (): Promise<RebuildProgress> => {
      let last: RebuildProgress = { wallets: 0, lines: 0, repaired: 0, isDone: false };
      for await (const progress of rebuildOnHost(options, walletId, 'host')) {
        signal.throwIfAborted();
        last = progress;
        onProgress(progress);
      }
      return last;
    };
    // It can be begun again at any time: what is under way is not waited for.
    return await untilAborted(signal, explainLoss('statement', run, rebuild));
  } catch (err) {
    const held = findTransientRejection(err);
    if (!held || signal.aborted) throw err;
    const hint = 'see that the wallet service runs; the command goes on where it is needed';
    return { ok: false, fault: { fault: held.message, hint } };
  } finally {
    await lifecycle.release(10_000);
  }
}

async function openLedger(
  databases: Databases,
  run: HostRun,
  lifecycle: Lifecycle,
): Promise<Outcome<ReadLedger>> {
  const { config, log } = run;
  if (config.peerAddresses.wallet !== undefined && !config.services.includes('wallet')) {
    const credential = await readServiceCredential(config);
    if (!credential.ok) return credential;
    const tls = await openTlsFiles(
      config.tlsFiles,
      { reader: await findSecretReader(config) },
      log,
    );
    if (!tls.ok) return tls;
    lifecycle.defer('TLS files', tls.value.stop);
    const caller = callRemote(config, 'wallet', credential.value, tls.value.peer);
    lifecycle.defer('wallet service', () => caller.close());
    return { ok: true, value: createWalletPeer(caller).readLedger };
  }
  const wallet = await connectService('wallet', databases, run, lifecycle);
  return wallet.ok ? { ok: true, value: (id, after) => readHere(wallet.value, id, after) } : wallet;
}

async function* readHere(db: Db, ...[walletId, after]: Parameters<ReadLedger>) {
  const place = { afterWalletId: after.walletId, afterSeq: after.seq };
  const streamed = streamLedger(db, { walletId, ...place });
  if (!streamed.ok) throw new Error(streamed.rejection.message);
  for await (const { transactions } of streamed.value) yield transactions;
}
