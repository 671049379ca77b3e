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
