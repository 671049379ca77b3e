import { hasParent, isSelfService, isUndo, type Operation } from '../../../core/operations.ts';
import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import {
  asDenial,
  checkWalletOfKey,
  deny,
  type UserPrincipal,
} from '../../platform/access/access.ts';
import { walletsOf, type Command } from '../domain.ts';

/** What customers may do: from anywhere, and from programs on this machine. */
export type OpenOperations = {
  readonly selfServiceOperations: ReadonlySet<Operation>;
  readonly localOperations: ReadonlySet<Operation>;
};

/** STAFF_OWN_WALLET, OPERATION_NOT_ALLOWED: by the caller's role, and by an API key's bounds. */
export function checkOperation(
  { selfServiceOperations, localOperations }: OpenOperations,
  principal: UserPrincipal,
  operation: Operation,
  ownerId: string,
  isLocal: boolean | undefined,
): Result<void> {
  const { role, userId } = principal;
  const isCustomer = role === 'customer';
  if (!isCustomer && ownerId === userId) return refuseOwnWallet('user_id');
  const isOpen = (open: ReadonlySet<Operation>) => isSelfService(operation) && open.has(operation);
  if (isCustomer && !isOpen(isLocal ? localOperations : selfServiceOperations)) {
    return asDenial(refuseOperation(operation, !isLocal && isOpen(localOperations)));
  }
  return checkOperationOfKey(principal, operation);
}

/**
 * STAFF_OWN_WALLET: staff pay nothing to themselves, nor take back what they have received, nor
 * reserve anything in their own favour. `payeeField` is where the request names whom it pays.
 */
export function checkOther(
  { role, userId }: UserPrincipal,
  { operation, more }: Command,
  payeeField = 'to_user_id',
): Result<void> {
  const isOwn = more?.other?.userId === userId || more?.payeeUserId === userId;
  if (role === 'customer' || !isOwn) return succeed(undefined);
  return refuseOwnWallet(hasParent(operation) ? 'parent_id' : payeeField);
}

/** OPERATION_NOT_ALLOWED for a customer who forces something; undefined if it may be so. */
export function checkForce({ role }: UserPrincipal, { more }: Command): Result<never> | undefined {
  return role === 'customer' && more?.isForced === true ? forcedByCustomer : undefined;
}

const forcedByCustomer = asDenial(
  refuse('OPERATION_NOT_ALLOWED', 'force must be absent: only staff force a transaction', {
    field: 'force',
  }),
);

/**
 * An API key for one wallet reaches no other. It may pay other wallets from its own, and takes
 * nothing back from them: `isOfDebit` says that an undone transaction paid from its wallet.
 */
export function checkReachOfKey(
  principal: UserPrincipal,
  { wallet, operation, more }: Command,
  isOfDebit: boolean,
): Result<void> {
  const reached = checkWalletOfKey(principal, wallet.id);
  if (!reached.ok || !more?.other || !isUndo(operation) || !isOfDebit) return reached;
  return checkWalletOfKey(principal, more.other.id);
}

/** `isOpenLocally`: the defaults let programs on this machine do it, and a proxy forwarded this. */
function refuseOperation(operation: Operation, isOpenLocally: boolean) {
  const field = { field: 'operation', operation };
  if (!isOpenLocally) {
    const problem = `customers may not do this here (${operation}): ask the staff`;
    return refuse('OPERATION_NOT_ALLOWED', problem, field);
  }
  const problem =
    `customers may do this (${operation}) straight from this machine only, and a proxy forwarded this ` +
    'request: to let them do it from anywhere, name it in SELF_SERVICE_OPERATIONS on the server';
  const setting = 'SELF_SERVICE_OPERATIONS';
  return refuse('OPERATION_NOT_ALLOWED', problem, { ...field, setting });
}

const refuseOwnWallet = (field: string) =>
  asDenial(
    refuse(
      'STAFF_OWN_WALLET',
      'staff move no money on a wallet of their own: have a colleague do it',
      { field },
    ),
  );

/** An API key that is for some operations posts no others. */
function checkOperationOfKey({ apiKey }: UserPrincipal, operation: Operation): Result<void> {
  const posted = apiKey?.operations ?? [];
  if (posted.length === 0 || posted.includes(operation)) return succeed(undefined);
  const problem = `this API key is for ${posted.join(', ')} only, not for ${operation}`;
  const metadata = { field: 'operation', operation, allowed: posted.join() };
  return asDenial(refuse('OPERATION_NOT_ALLOWED', problem, metadata));
}

/**
 * Whether this caller may have a dead letter's command handled. A changed one is their own action:
 * like a call, but for the rights of customers, who replay nothing. One that is unchanged is the
 * producer's; an API key moves money within its scopes and bounds all the same. `isOfDebit`: as for
 * `checkReachOfKey`.
 */
export function checkReplayer(
  principal: UserPrincipal,
  command: Command,
  isChanged: boolean,
  isOfDebit: boolean,
): Result<void> {
  if (principal.role === 'customer') return deny('a customer may not do this');
  const isOwn =
    command.more?.payeeUserId === principal.userId ||
    walletsOf(command).some(({ userId }) => userId === principal.userId);
  if (isChanged && isOwn) return refuseOwnWallet('body');
  const { apiKey } = principal;
  if (!apiKey) return succeed(undefined);
  const scope = 'transactions:write';
  if (!apiKey.scopes.includes(scope)) {
    return deny(`this API key lacks the scope ${scope}, without which it moves no money`, {
      scope,
    });
  }
  const allowed = checkOperationOfKey(principal, command.operation);
  return allowed.ok ? checkReachOfKey(principal, command, isOfDebit) : allowed;
}
