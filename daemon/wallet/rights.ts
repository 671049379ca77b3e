import type { Operation } from '../../core/operations.ts';
import { refuse, succeed, type Result } from '../../core/reasons.ts';
import { asDenial, checkWalletOfKey, deny, type UserPrincipal } from '../platform/access.ts';
import type { Command } from './domain.ts';

/** STAFF_OWN_WALLET, OPERATION_NOT_ALLOWED: by the caller's role, and by an API key's bounds. */
export function checkMover(
  { selfServiceOperations }: { readonly selfServiceOperations: ReadonlySet<Operation> },
  principal: UserPrincipal,
  operation: Operation,
  ownerId: string,
): Result<void> {
  const { role, userId } = principal;
  const isCustomer = role === 'customer';
  if (!isCustomer && ownerId === userId) return staffOwnWallet;
  if (isCustomer && !selfServiceOperations.has(operation)) {
    const problem = `customers may not ${operation} here: ask the staff`;
    const field = { field: 'operation', operation };
    return asDenial(refuse('OPERATION_NOT_ALLOWED', problem, field));
  }
  return checkOperationOfKey(principal, operation);
}

const staffOwnWallet = asDenial(
  refuse(
    'STAFF_OWN_WALLET',
    'staff move no money on a wallet of their own: have a colleague do it',
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
 * producer's; an API key moves money within its scopes and bounds all the same.
 */
export function checkReplayer(
  principal: UserPrincipal,
  { wallet, operation }: Command,
  isChanged: boolean,
): Result<void> {
  if (principal.role === 'customer') return deny('a customer may not do this');
  if (isChanged && wallet.userId === principal.userId) return staffOwnWallet;
  const { apiKey } = principal;
  if (!apiKey) return succeed(undefined);
  const scope = 'transactions:write';
  if (!apiKey.scopes.includes(scope)) {
    return deny(`this API key lacks the scope ${scope}, without which it moves no money`, {
      scope,
    });
  }
  const allowed = checkOperationOfKey(principal, operation);
  return allowed.ok ? checkWalletOfKey(principal, wallet.id) : allowed;
}
