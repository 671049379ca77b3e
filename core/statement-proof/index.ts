export { createProofWriter } from './proof-text.ts';
export type { ProofEntry, ProofFault, ProofPart, ProvedFile } from './types.ts';
export { verifyStatement, type ProofSource, type ProvedClaim } from './verify.ts';
export type { FileSource } from './file-check.ts';
