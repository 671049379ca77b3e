import { isUuid } from '../../../core/ids.ts';
import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import type {
  VerifyLedgerRequest,
  VerifyLedgerResponse,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { AuditTrail } from '../../platform/audit/audit.ts';
import type { Db } from '../../platform/db/db.ts';
import type { CallContext } from '../../platform/grpc/calls.ts';
import { verifyLedger, type VerifyPart } from '../verify/pass.ts';

export type VerifyRpcOptions = {
  readonly db: Db;
  readonly trail: Pick<AuditTrail, 'record'>;
};

/** Small pages, one reader: the calls of others come in between. */
const pageSize = { bytes: 128 * 1024, rows: 500 };

/**
 * Checks the ledger of one snapshot, of all wallets or of one. The statement lines are another
 * service's: `verifyProjection` holds them against the ledger. INVALID_ARGUMENT.
 */
export async function openVerification(
  { db, trail }: VerifyRpcOptions,
  { walletId }: VerifyLedgerRequest,
  context: CallContext,
): Promise<Result<AsyncIterable<VerifyLedgerResponse>>> {
  if (walletId !== undefined && !isUuid(walletId)) {
    const field = 'wallet_id';
    return refuse('INVALID_ARGUMENT', 'wallet_id must be a UUID in lower case', { field });
  }
  const target = walletId ?? 'all';
  await trail.record(context, { action: 'ledger.verify', target, result: 'ok' });
  return succeed(sendFindings(db, walletId));
}

async function* sendFindings(
  db: Db,
  walletId: string | undefined,
): AsyncGenerator<VerifyLedgerResponse, void> {
  let [wallets, transactions, findings] = [0, 0, 0];
  const progress = (done: boolean): VerifyLedgerResponse => {
    const counts = {
      wallets: BigInt(wallets),
      transactions: BigInt(transactions),
      findings: BigInt(findings),
    };
    return { report: { $case: 'progress', value: { ...counts, done } } };
  };
  for await (const part of listParts(db, walletId)) {
    for (const finding of part.findings) yield { report: { $case: 'finding', value: finding } };
    wallets += part.wallets;
    transactions += part.transactions;
    findings += part.findings.length;
    yield progress(false);
  }
  yield progress(true);
}

/** Thrown into a pass whose parts are not taken any more. */
const abandoned = new Error('the verification was given up');

/** The parts of a pass, each once the one before has been taken. */
async function* listParts(db: Db, walletId: string | undefined): AsyncGenerator<VerifyPart, void> {
  let give: (part: VerifyPart | undefined) => void = () => undefined;
  let resume: (isWanted: boolean) => void = () => undefined;
  let next = new Promise<VerifyPart | undefined>((resolve) => (give = resolve));
  const onPart = async (part: VerifyPart): Promise<void> => {
    const taken = new Promise<boolean>((resolve) => (resume = resolve));
    give(part);
    if (!(await taken)) throw abandoned;
  };
  const pass = verifyLedger({ db, walletId, readers: 1, size: pageSize, onPart });
  pass.then(
    () => give(undefined),
    () => give(undefined),
  );
  try {
    for (let part = await next; part; part = await next) {
      next = new Promise((resolve) => (give = resolve));
      yield part;
      resume(true);
    }
  } finally {
    resume(false);
    await pass.catch((err: unknown) => {
      if (err !== abandoned) throw err;
    });
  }
}
