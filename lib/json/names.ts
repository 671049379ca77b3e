import {
  operationOfWireNumber,
  operationTable,
  type Operation as OperationName,
} from '../../core/operations.ts';
import { roleOfWireNumber, roleTable, type Role as RoleName } from '../../core/roles.ts';
import type { Role } from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { Direction, type Operation } from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';

type Numbered = Readonly<Record<string, { readonly wireNumber: number }>>;
type WireNumbers<Table extends Numbered> = {
  readonly [Name in keyof Table]: Table[Name]['wireNumber'];
};

/** The number on the wire for each name of a table. */
function wireNumbersOf<Table extends Numbered>(table: Table): WireNumbers<Table> {
  const numbers = Object.entries(table).map(([name, { wireNumber }]) => [name, wireNumber]);
  return Object.fromEntries(numbers) as WireNumbers<Table>;
}

export const operationNumbers: Readonly<Record<OperationName, Operation>> =
  wireNumbersOf(operationTable);

/** `deposit` and so on; `unknown` for a number from a newer server. */
export const nameOperation = (operation: Operation): OperationName | 'unknown' =>
  operationOfWireNumber(operation) ?? 'unknown';

const directions = {
  [Direction.CREDIT]: 'in',
  [Direction.DEBIT]: 'out',
  [Direction.NONE]: 'none',
} as const;

/** What a transaction does to the balance of its wallet. */
export const directionNames = Object.values(directions);
type DirectionName = (typeof directionNames)[number];

/** `unknown` for a number from a newer server. */
export const nameDirection = (direction: Direction): DirectionName | 'unknown' =>
  (directions as Readonly<Record<number, DirectionName>>)[direction] ?? 'unknown';

export const roleNumbers: Readonly<Record<RoleName, Role>> = wireNumbersOf(roleTable);

export const nameRole = (role: Role): RoleName | 'unknown' => roleOfWireNumber(role) ?? 'unknown';
