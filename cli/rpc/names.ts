import type { Operation as OperationName } from '../../core/operations.ts';
import { roles, type Role as RoleName } from '../../core/roles.ts';
import { Role } from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { Operation } from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';

export const operationNumbers: Readonly<Record<OperationName, Operation>> = {
  deposit: Operation.DEPOSIT,
  withdraw: Operation.WITHDRAW,
  purchase: Operation.PURCHASE,
  reversal: Operation.REVERSAL,
  cancellation: Operation.CANCELLATION,
};

/** `deposit` and so on; `unknown` for a number from a newer server. */
export function nameOperation(operation: Operation): OperationName | 'unknown' {
  const names = Object.entries(operationNumbers) as [OperationName, Operation][];
  return names.find(([, number]) => number === operation)?.[0] ?? 'unknown';
}

export const roleNumbers: Readonly<Record<RoleName, Role>> = {
  customer: Role.CUSTOMER,
  operator: Role.OPERATOR,
  admin: Role.ADMIN,
};

export function nameRole(role: Role): RoleName | 'unknown' {
  return roles.find((name) => roleNumbers[name] === role) ?? 'unknown';
}
