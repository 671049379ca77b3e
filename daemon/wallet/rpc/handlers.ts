import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import type {
  CreateTransactionRequest,
  CreateTransactionResponse,
  WalletServiceServer,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { deny } from '../../platform/access/access.ts';
import { auditRead, recordRead } from '../../platform/audit/reads.ts';
import type { AuditTrail } from '../../platform/audit/audit.ts';
import type { Db } from '../../platform/db/db.ts';
import type { CallContext, Handlers, UnaryHandler } from '../../platform/grpc/calls.ts';
import { lineOf, withAudit } from '../requests/audit.ts';
import type { Command } from '../domain.ts';
import { claimOwnReplays } from './sent-again.ts';
import { decideOnly } from './dry-run.ts';
import { reportDenial } from '../requests/denials.ts';
import { changeStatus } from './change-status.ts';
import { closeWallet } from './close.ts';
import type { GroupCommit } from '../commit/group-commit.ts';
import { readItem, type ItemOptions } from '../requests/items.ts';
import { listSignedCheckpoints } from './checkpoints.ts';
import { getHold, listHolds } from './holds.ts';
import { addReplayedHolds } from './replayed-holds.ts';
import { toWireCreated } from './stream-wire.ts';
import { streamLedger } from './ledger-stream.ts';
import { getStatementProof, type ProofOptions } from './statement-proof.ts';
import { openVerification } from './verify.ts';
import { onlyIfDone } from '../events/outbox-full.ts';
import type { AuditedDecision, AuditedCommand } from '../requests/audited-command.ts';
import { getBalance, listWallets, type ReadOptions } from './reads.ts';
import { getWalletTerms } from './terms/get-terms.ts';
import { setWalletTerms, type TermsOptions } from './terms/set-terms.ts';
import { getTransaction, listTransactions } from './transactions.ts';

export type HandlerOptions = ReadOptions &
  Pick<ProofOptions, 'checkpointEveryMs'> &
  Pick<TermsOptions, 'isTermsForAdmins'> &
  ItemOptions & {
    readonly groupCommit: GroupCommit<AuditedCommand, AuditedDecision>;
    /** Connections that no reader can use up: a freeze must not wait for them. */
    readonly commitDb: Db;
    readonly trail: Pick<AuditTrail, 'record' | 'recordForeign'>;
    /** True while so many events wait to be sent that no more are taken on. */
    readonly isOutboxFull: () => boolean;
    /** New events are in the outbox. */
    readonly onEvents: () => void;
  };

/** Wire to domain and back; who may touch which wallet is decided here and in the SQL. */
export function createHandlers(options: HandlerOptions): Handlers<WalletServiceServer> {
  const { trail } = options;
  return {
    createTransaction: withDenialReport(options, 'createTransaction', (request, context) =>
      createTransaction(options, request, context),
    ),
    getTransaction: auditRead(
      trail,
      withDenialReport(options, 'getTransaction', (request, context) =>
        getTransaction(options, request, context),
      ),
      (_request, { transaction, related: [other] }) => ({
        action: 'transaction.get',
        target: transaction?.userId ?? '',
        details: {
          transactionId: transaction?.id ?? '',
          ...(other ? { otherUserId: other.userId } : {}),
        },
      }),
    ),
    listTransactions: auditRead(
      trail,
      (request, context) => listTransactions(options, request, context),
      ({ userId, currency }) => ({
        action: 'transaction.list',
        target: userId,
        details: { currency: currency || options.defaultCurrency },
      }),
    ),
    getBalance: auditRead(
      trail,
      (request, context) => getBalance(options, request, context),
      ({ userId }, { wallet }) => ({
        action: 'wallet.balance',
        target: userId,
        details: { currency: wallet?.currency ?? '' },
      }),
    ),
    listWallets: auditRead(
      trail,
      (request, context) => listWallets(options, request, context),
      ({ userId }) => ({ action: 'wallet.list', target: userId || 'all users' }),
    ),
    freezeWallet: (request, context) =>
      changeStatus(options, request.debitsOnly ? 'freeze_debits' : 'freeze', request, context),
    unfreezeWallet: (request, context) => changeStatus(options, 'unfreeze', request, context),
    closeWallet: (request, context) => closeWallet(options, request, context),
    reopenWallet: (request, context) => changeStatus(options, 'reopen', request, context),
    ...createHoldHandlers(options),
    getStatementProof: (request, context) => getStatementProof(options, request, context),
    listCheckpoints: auditRead(
      trail,
      (request) => listSignedCheckpoints(options.db, request),
      () => ({ action: 'checkpoint.list', target: 'all wallets' }),
    ),
    streamLedger: (request) => Promise.resolve(streamLedger(options.db, request)),
    verifyLedger: (request, context) => openVerification(options, request, context),
  };
}

/** What concerns holds, overdraft and spending limits. */
function createHoldHandlers(options: HandlerOptions) {
  const { trail } = options;
  return {
    getHold: auditRead(
      trail,
      withDenialReport(options, 'getHold', (request, context) =>
        getHold(options, request, context),
      ),
      (_request, { hold }) => ({
        action: 'hold.get',
        target: hold?.userId ?? '',
        details: { holdId: hold?.id ?? '' },
      }),
    ),
    listHolds: auditRead(
      trail,
      (request, context) => listHolds(options, request, context),
      ({ userId, currency }) =>
        userId === ''
          ? { action: 'hold.list', target: 'all users' }
          : {
              action: 'hold.list',
              target: userId,
              details: { currency: currency || options.defaultCurrency },
            },
    ),
    getWalletTerms: auditRead(
      trail,
      (request, context) => getWalletTerms(options, request, context),
      ({ userId }, { terms }) => ({
        action: 'wallet.get_terms',
        target: userId,
        details: { currency: terms?.currency ?? '' },
      }),
    ),
    setWalletTerms: (request, context) => setWalletTerms(options, request, context),
  } satisfies Handlers<WalletServiceServer>;
}

/** The same handler; a refusal of another user's transaction as absent is reported as a denial. */
function withDenialReport<Req, Res>(
  options: HandlerOptions,
  method: string,
  handler: UnaryHandler<Req, Res>,
): UnaryHandler<Req, Res> {
  return async (request, context) => {
    const result = await handler(request, context);
    if (!result.ok) reportDenial(options, context, method, result.rejection);
    return result;
  };
}

async function createTransaction(
  options: HandlerOptions,
  { item, dryRun }: CreateTransactionRequest,
  context: CallContext,
): Promise<Result<CreateTransactionResponse>> {
  if (!item) return refuse('INVALID_ARGUMENT', 'item is missing', { field: 'item' });
  const { principal } = context;
  if (principal.kind !== 'user') return deny('a user must move money');
  const command = await readItem(options, item, context);
  if (!command.ok) return command;
  const audited = withAudit(command.value, context);
  const posted = dryRun
    ? await decideDry(options, command.value, context)
    : await options.groupCommit.submit(
        options.isOutboxFull() ? onlyIfDone(audited) : audited,
        context,
      );
  const claimed = dryRun ? [posted] : await claimOwnReplays(options.db, [item], [posted]);
  const outcomes = await addReplayedHolds(options.db, claimed);
  const outcome = outcomes[0] ?? posted;
  return outcome.ok ? succeed(toWireCreated(outcome.value)) : outcome;
}

/** The outcome of a dry run. It shows staff another user's balance, so it is recorded as a read. */
async function decideDry(
  { db, trail, defaultLimits }: HandlerOptions,
  command: Command,
  context: CallContext,
): Promise<Result<AuditedDecision>> {
  const outcome = await decideOnly(db, command, defaultLimits);
  const line = { action: 'transaction.dry_run', ...lineOf(command, outcome) };
  const recorded = await recordRead(trail, context, line);
  return recorded.ok ? outcome : recorded;
}
