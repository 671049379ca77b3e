/**
 * The numbers of each operation: its code in databases, its number in the enum `Operation` on the
 * wire (wallet.proto), and the number that a message may use for its name (docs/events.md).
 */
export const operationTable = {
  deposit: { code: 1, wireNumber: 1, messageNumber: 0 },
  withdraw: { code: 2, wireNumber: 2, messageNumber: 1 },
  purchase: { code: 3, wireNumber: 3, messageNumber: 2 },
  reversal: { code: 4, wireNumber: 4, messageNumber: 3 },
  cancellation: { code: 5, wireNumber: 5, messageNumber: 4 },
  transfer: { code: 6, wireNumber: 6, messageNumber: undefined },
  hold: { code: 7, wireNumber: 7, messageNumber: undefined },
  capture: { code: 8, wireNumber: 8, messageNumber: undefined },
  release: { code: 9, wireNumber: 9, messageNumber: undefined },
  fee: { code: 11, wireNumber: 11, messageNumber: undefined },
} as const satisfies Readonly<Record<string, Numbers>>;

/** A message may name those without a number by their names only. */
type Numbers = {
  readonly code: number;
  readonly wireNumber: number;
  readonly messageNumber: number | undefined;
};

export type Operation = keyof typeof operationTable;
export type UndoOperation = 'reversal' | 'cancellation';

/** The names of the operations. Their order means nothing. */
export const operations = Object.keys(operationTable) as readonly Operation[];

/** What messages may ask for where nothing else is set: the operations that have a number there. */
export const numberedOperations = operations.filter(
  (operation) => operationTable[operation].messageNumber !== undefined,
);

/** A reversal or cancellation returns the amount of another transaction, its parent, or a part. */
export function isUndo(operation: Operation): operation is UndoOperation {
  return operation === 'reversal' || operation === 'cancellation';
}

/** What refers to another transaction: an undo to what it undoes, the others to a hold. */
export const hasParent = (operation: Operation): boolean => isUndo(operation) || ofHold(operation);

/** What uses up a hold. */
export const ofHold = (operation: Operation): operation is 'capture' | 'release' =>
  operation === 'capture' || operation === 'release';

/** What customers may be let do by themselves; all else is for staff, API keys and messages. */
export const selfServiceOperations: readonly Operation[] = [...numberedOperations, 'transfer'];

export const isSelfService = (text: string): boolean =>
  selfServiceOperations.some((operation) => operation === text);

/** What messages may be let ask for: a fee is only in a group, which a message cannot be. */
export const messageOperations = operations.filter((operation) => operation !== 'fee');

export const isMessageOperation = (text: string): boolean =>
  messageOperations.some((operation) => operation === text);

export function isOperation(text: string): text is Operation {
  return Object.hasOwn(operationTable, text);
}

const byCode = new Map<number, Operation>();
const byWireNumber = new Map<number, Operation>();
const byMessageNumber = new Map<number, Operation>();
for (const operation of operations) {
  const { code, wireNumber, messageNumber } = operationTable[operation];
  byCode.set(code, operation);
  byWireNumber.set(wireNumber, operation);
  if (messageNumber !== undefined) byMessageNumber.set(messageNumber, operation);
}

/** The operation with this code in a database. Throws for an unknown code. */
export function operationOfCode(code: number): Operation {
  const operation = byCode.get(code);
  if (!operation) throw new Error(`there is no operation ${code}`);
  return operation;
}

/** The operation with this number on the wire; undefined for UNSPECIFIED and unknown numbers. */
export const operationOfWireNumber = (wireNumber: number): Operation | undefined =>
  byWireNumber.get(wireNumber);

/** The operation that a message names by a number; undefined for unknown numbers. */
export const operationOfMessageNumber = (messageNumber: number): Operation | undefined =>
  byMessageNumber.get(messageNumber);

/** Whether a reversal or cancellation can undo a transaction of the other operation. */
export const canUndo = (undo: Operation, parent: Operation): boolean =>
  undo === 'cancellation'
    ? parent === 'purchase' || parent === 'capture'
    : !isUndo(parent) && parent !== 'hold' && parent !== 'release';
