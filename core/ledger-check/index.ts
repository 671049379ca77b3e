export { findChildProblem } from './children.ts';
export { findHoldProblem, findOpenProblem, type HoldRow, type HoldUses } from './holds.ts';
export { createMerge } from './merge.ts';
export { createPairSums, findUnpaired, namesOther, type PairSide } from './pairs.ts';
export { walletColumns } from './read-wallet.ts';
export { entryColumns, idOffset, lineColumns, readSeq, readUuid } from './rows.ts';
export type * from './types.ts';
