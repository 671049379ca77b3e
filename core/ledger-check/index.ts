export { createMerge } from './merge.ts';
export { entryColumns, idOffset, lineColumns, readSeq, readUuid, walletColumns } from './rows.ts';
export type * from './types.ts';
