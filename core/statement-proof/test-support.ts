import { isDeepStrictEqual } from 'node:util';

import {
  createModelKey,
  makeModelProof,
  makeModelWallet,
  printModelProof,
  type ModelRange,
} from '../../tests/support/ledger/proof-model.ts';
import type { ProofPart } from './types.ts';
import { verifyStatement, type ProvedClaim } from './verify.ts';

export const startMs = Date.parse('2026-02-10T12:00:00Z');
export const [wallet, other] = [makeModelWallet(3, 12, startMs), makeModelWallet(6, 12, startMs)];
export const wallets = [
  ...[1, 2, 4, 5, 7].map((seed) => makeModelWallet(seed, 12, startMs)),
  ...[wallet, other],
];
export const key = createModelKey();

export const csv = {
  ...({ format: 'csv', locale: 'en', hasByteOrderMark: false } as const),
  hasHolds: false,
};
export const range: ModelRange = {
  ...{ file: csv, timezone: 'America/Sao_Paulo', firstSeq: 4, lastSeq: 8, leafSeq: 11 },
  hidesNeighbours: false,
};
export const make = (change: Partial<ModelRange> = {}) =>
  makeModelProof(wallets, wallet, { ...range, ...change }, key);

/** Checks bytes that come in chunks of a few sizes; gives the claim, or the fault as a text. */
export async function verify(proof: Buffer, file: Buffer, chunkBytes = 1_000) {
  const chunks = async function* () {
    for (let at = 0; at < proof.length; at += chunkBytes) {
      yield await Promise.resolve(proof.subarray(at, at + chunkBytes));
    }
  };
  let position = 0;
  const read = (maxBytes: number) => {
    const bytes = file.subarray(position, position + Math.min(maxBytes, chunkBytes));
    position += bytes.length;
    return Promise.resolve(bytes);
  };
  const verdict = await verifyStatement(chunks, { read });
  if (verdict.ok) return { claim: verdict.value, fault: '' };
  const { where, field, message } = verdict.fault;
  return { claim: undefined, fault: `${where}: ${field} ${message}` };
}

/**
 * False if a changed proof proves what is not so. What it still may prove is the statement of
 * another period in which there are the same entries (`timesMs` are those of all), or that a JSON
 * file, which has no language, was written in another.
 */
export async function isRefusedOrTrue(
  changed: Buffer,
  { proof, file }: { readonly proof: Buffer; readonly file: Buffer },
  timesMs: readonly number[],
): Promise<boolean> {
  const { claim } = await verify(changed, file, 1 << 20);
  if (!claim) return true;
  const genuine = await verify(proof, file, 1 << 20);
  const withoutPeriod = (of: ProvedClaim | undefined) => ({
    ...{ ...of, file: of?.file.format },
    statement: { ...of?.statement, fromMs: 0, toMs: 0 },
  });
  const { fromMs, toMs } = claim.statement;
  const count = timesMs.filter((ms) => ms >= fromMs && ms < toMs).length;
  const isSame = isDeepStrictEqual(withoutPeriod(claim), withoutPeriod(genuine.claim));
  return isSame && BigInt(count) === claim.lines.count;
}

export const faultOf = async (parts: readonly ProofPart[], file: Buffer): Promise<string> =>
  (await verify(printModelProof(parts), file)).fault;
