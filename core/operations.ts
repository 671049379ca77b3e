/** The five operations, in the order of the numbers that messages may use for them (0 to 4). */
export const operations = ['deposit', 'withdraw', 'purchase', 'reversal', 'cancellation'] as const;

export type Operation = (typeof operations)[number];
export type UndoOperation = 'reversal' | 'cancellation';

/** An undo gives back another transaction, its parent, as a whole. */
export function isUndo(operation: Operation): operation is UndoOperation {
  return operation === 'reversal' || operation === 'cancellation';
}

export function isOperation(text: string): text is Operation {
  return (operations as readonly string[]).includes(text);
}

/** The operation of a number in a database: 1 deposit to 5 cancellation. Throws for any other. */
export function operationOfCode(code: number): Operation {
  const operation = operations[code - 1];
  if (!operation) throw new Error(`there is no operation ${code}`);
  return operation;
}

/** Whether a reversal or cancellation can undo a transaction of the other operation. */
export const canUndo = (undo: Operation, parent: Operation): boolean =>
  undo === 'cancellation' ? parent === 'purchase' : !isUndo(parent);
