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
} as const;

export type Operation = keyof typeof operationTable;
export type UndoOperation = 'reversal' | 'cancellation';

/** The names of the operations. Their order means nothing. */
export const operations = Object.keys(operationTable) as readonly Operation[];

/** A reversal or cancellation returns the full amount of another transaction, its parent. */
export function isUndo(operation: Operation): operation is UndoOperation {
  return operation === 'reversal' || operation === 'cancellation';
}

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
  byMessageNumber.set(messageNumber, operation);
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
  undo === 'cancellation' ? parent === 'purchase' : !isUndo(parent);
