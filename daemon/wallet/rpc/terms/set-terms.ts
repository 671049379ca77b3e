import { isWithdrawn } from '../../../../core/currencies.ts';
import { formatMinor } from '../../../../core/money.ts';
import { refuse, succeed, type Result } from '../../../../core/reasons.ts';
import { withArticle } from '../../../../core/roles.ts';
import { findTextProblem, textLimits } from '../../../../core/text.ts';
import type {
  SetWalletTermsRequest,
  SetWalletTermsResponse,
} from '../../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { asDenial, deny } from '../../../platform/access/access.ts';
import { appendAudit, type AuditTrail } from '../../../platform/audit/audit.ts';
import { recordRead } from '../../../platform/audit/reads.ts';
import { isLockTimeout, readClock, type Db, type Tx } from '../../../platform/db/db.ts';
import type { CallContext } from '../../../platform/grpc/calls.ts';
import { newWallet, type Terms, type WalletRef, type WalletState } from '../../domain.ts';
import { walletBusy } from '../../domain-integrity.ts';
import { decideTerms, type TermsChange } from '../../domain-terms.ts';
import { toStoredLimits } from '../../limits-json.ts';
import { noDefaultLimits, type DefaultLimits } from '../../store/rare-states.ts';
import { readWallets } from '../../store/store.ts';
import { updateTerms } from '../../store/terms.ts';
import { openWallets } from '../../store/writes.ts';
import type { KnownUsers } from '../../requests/users.ts';
import { readRef } from '../reads.ts';
import { readTermsNow, type TermsNow } from './read-terms.ts';
import { readTermsChange, toWireTerms } from './wire-terms.ts';

export type TermsOptions = {
  readonly commitDb: Db;
  readonly trail: Pick<AuditTrail, 'record'>;
  readonly users: KnownUsers;
  readonly defaultCurrency: string;
  readonly defaultLimits?: DefaultLimits;
  /** Operators may not change terms. */
  readonly isTermsForAdmins?: boolean;
};

/**
 * SetWalletTerms: one change of the wallet's row under its lock, which every commit takes or
 * compares. A wallet that does not exist is opened. What is so already stays so, with its number.
 * STAFF_OWN_WALLET, PERMISSION_DENIED, USER_NOT_FOUND, CURRENCY_UNKNOWN, INVALID_ARGUMENT,
 * TERMS_CHANGED, WALLET_BUSY.
 */
export async function setWalletTerms(
  options: TermsOptions,
  request: SetWalletTermsRequest,
  context: CallContext,
): Promise<Result<SetWalletTermsResponse>> {
  const ref = checkRequest(options, request, context);
  if (!ref.ok) return ref;
  const change = readTermsChange(request);
  if (!change.ok) return change;
  const exists = await options.users.check(ref.value.userId);
  if (!exists.ok) return exists;
  const { defaultLimits = noDefaultLimits, commitDb } = options;
  const work = async (tx: Tx): Promise<Result<Outcome>> => {
    const changed = await changeLocked(tx, ref.value, change.value, request, context);
    if (!changed.ok) return changed;
    const { wallet, isChanged } = changed.value;
    const now = await readTermsNow(tx, wallet, await readClock(tx), defaultLimits);
    return succeed({ now, isChanged });
  };
  const outcome = await (request.dryRun ? commitDb.undone(work) : commitDb.tx(work)).catch(
    (err: unknown) => {
      if (isLockTimeout(err)) return walletBusy;
      throw err;
    },
  );
  if (!outcome.ok) return outcome;
  const { now, isChanged } = outcome.value;
  if (!isChanged || request.dryRun) {
    // Nothing was done, but terms are shown.
    const { userId, currency } = ref.value;
    const read = { action: 'wallet.get_terms', target: userId, details: { currency } };
    const recorded = await recordRead(options.trail, context, read);
    if (!recorded.ok) return recorded;
  }
  return succeed({ terms: toWireTerms(now) });
}

type Outcome = { readonly now: TermsNow; readonly isChanged: boolean };

/** The wallet that is meant, if this caller may change its terms. */
function checkRequest(
  options: TermsOptions,
  request: SetWalletTermsRequest,
  { principal }: CallContext,
): Result<WalletRef> {
  if (principal.kind !== 'user') return deny('a user must change terms');
  if (options.isTermsForAdmins === true && principal.role !== 'admin') {
    const { role } = principal;
    return deny(`${withArticle(role)} may not change terms here: only admins may`, { role });
  }
  const ref = readRef(options, request, principal);
  if (!ref.ok) return ref;
  if (principal.userId === ref.value.userId) return ownWallet;
  const problem = findTextProblem(request.note, textLimits.description);
  return problem === undefined
    ? ref
    : refuse('INVALID_ARGUMENT', `note ${problem}`, { field: 'note' });
}

const ownWallet = asDenial(
  refuse(
    'STAFF_OWN_WALLET',
    'staff set no terms of a wallet of their own: have a colleague do it',
    { field: 'user_id' },
  ),
);

async function changeLocked(
  tx: Tx,
  ref: WalletRef,
  change: TermsChange,
  { note }: SetWalletTermsRequest,
  context: CallContext,
): Promise<Result<{ readonly wallet: WalletState; readonly isChanged: boolean }>> {
  const [found] = await readWallets(tx, [ref], 'wait');
  const decided = decideTerms((found ?? newWallet(ref)).terms, change);
  if (!decided.ok) return decided;
  if (!found && isWithdrawn(ref.currency)) {
    const message = 'the currency was withdrawn from ISO 4217: no wallet can be opened in it';
    return refuse('CURRENCY_UNKNOWN', message, { field: 'currency' });
  }
  const wallet = found ?? newWallet(ref);
  if (decided.value === wallet.terms) return succeed({ wallet, isChanged: false });
  // It was opened a moment ago: what was decided may not hold for it.
  if (!found && (await openWallets(tx, [wallet])) === 0) return walletBusy;
  await updateTerms(tx, wallet.id, decided.value);
  const details = {
    currency: ref.currency,
    note,
    number: String(decided.value.no),
    ...toDetails(decided.value, ref),
    ...toPrevious(toDetails(wallet.terms, ref)),
  };
  const line = { action: 'wallet.terms', target: ref.userId, result: 'ok', details };
  await appendAudit(tx, context, line);
  return succeed({ wallet: { ...wallet, terms: decided.value }, isChanged: true });
}

const toDetails = ({ overdraftMinor, limits }: Terms, { exponent }: WalletRef) => ({
  overdraftLimit: formatMinor(overdraftMinor, exponent),
  limits: limits ? JSON.stringify(toStoredLimits(limits)) : 'default',
});

const toPrevious = ({ overdraftLimit, limits }: ReturnType<typeof toDetails>) => ({
  previousOverdraftLimit: overdraftLimit,
  previousLimits: limits,
});
