import { describe, expect, it } from 'vitest';

import {
  makeModelProof,
  makeModelWallet,
  printModelProof,
  rechainModelWallet,
} from '../../tests/support/ledger/proof-model.ts';
import { makeHoldLines } from '../../tests/support/ledger/statement-model.ts';
import { csv, key, range, startMs, verify, wallets } from './test-support.ts';
import type { ProofEntry, ProofPart } from './types.ts';

const holder = makeModelWallet(9, 40, startMs, makeHoldLines);
const all = [...wallets, holder];
const isHold = ({ amountMinor }: ProofEntry): boolean => amountMinor === 0n;
const makeOf = (wallet: typeof holder, change: Partial<typeof range> = {}) =>
  makeModelProof(
    all.map((one) => (one === holder ? wallet : one)),
    wallet,
    { ...range, firstSeq: 5, lastSeq: 35, leafSeq: 38, ...change },
    key,
  );
const shown = holder.entries.slice(4, 35);

it('the model has holds, captures and releases, and less than nothing on the wallet', () => {
  const names = new Set(shown.map(({ operation }) => operation));
  expect([...names]).toEqual(expect.arrayContaining(['hold', 'capture', 'release', 'deposit']));
  expect(holder.entries.some(({ balanceAfterMinor }) => balanceAfterMinor < 0n)).toBe(true);
});

const formats = (['csv', 'json', 'ndjson', 'hledger'] as const).flatMap((format) =>
  (['en', 'pt-BR'] as const).flatMap((locale) =>
    [true, false].map((hasHolds) => ({ ...csv, format, locale, hasHolds })),
  ),
);

describe('a statement of a wallet with holds', () => {
  it.each(formats)('a file in $format, $locale with holds: $hasHolds is proved', async (file) => {
    for (const [firstSeq, lastSeq, leafSeq] of [
      [1, 40, 40],
      [5, 35, 38],
      [21, 20, 40],
    ] as const) {
      const made = makeOf(holder, { file, firstSeq, lastSeq, leafSeq });
      const { claim, fault } = await verify(printModelProof(made.parts), made.file);
      expect(fault).toBe('');
      const entries = holder.entries.slice(firstSeq - 1, lastSeq);
      const last = holder.entries[lastSeq - 1];
      expect(claim?.lines).toMatchObject({
        count: BigInt(entries.length),
        holdCount: BigInt(entries.filter(isHold).length),
        heldClosingMinor: last?.more?.heldAfterMinor ?? 0n,
      });
    }
  });

  it('a file that leaves a line out is refused, whether or not holds are shown', async () => {
    for (const hasHolds of [true, false]) {
      const made = makeOf(holder, { file: { ...csv, hasHolds } });
      const victim = shown.find((entry) => hasHolds === isHold(entry))!;
      const rows = made.file.toString().split('\r\n');
      const rest = rows.filter((row) => !row.includes(victim.id)).join('\r\n');
      expect(rest).not.toBe(made.file.toString());
      const { fault } = await verify(printModelProof(made.parts), Buffer.from(rest));
      expect(fault).toContain(`is not entry ${victim.seq} (transaction ${victim.id})`);
    }
  });

  it('a hold that the file shows and the proof says it does not is refused, and the reverse', async () => {
    const [withHolds, without] = [true, false].map((hasHolds) =>
      makeOf(holder, { file: { ...csv, hasHolds } }),
    );
    const swapped = await verify(printModelProof(without!.parts), withHolds!.file);
    expect(swapped.fault).toContain('header');
    expect((await verify(printModelProof(withHolds!.parts), without!.file)).fault).toContain(
      'header',
    );
  });

  it('a proof without a hold that the file does not show is refused', async () => {
    const made = makeOf(holder);
    const hidden = shown.find(isHold)!;
    const parts = made.parts.filter(
      (part) => !(part.kind === 'line' && part.entry.seq === hidden.seq),
    );
    const { fault } = await verify(printModelProof(parts), made.file);
    expect(fault).toContain(`seq does not follow entry ${hidden.seq - 1n}`);
  });

  it('what is reserved must be what was before and what the entry reserves', async () => {
    const at = shown.find(isHold)!;
    const wrong = rechainModelWallet(holder, ({ seq, more }) =>
      seq === at.seq && more ? { more: { ...more, heldAfterMinor: more.heldAfterMinor + 1n } } : {},
    );
    const { parts, file } = makeOf(wrong);
    const { fault } = await verify(printModelProof(parts), file);
    expect(fault).toContain(`entry ${at.seq} of the proof: heldAfterMinor`);
  });

  it('a proof says true or nothing of holds', async () => {
    const made = makeOf(holder, { file: { ...csv, hasHolds: true } });
    const text = printModelProof(made.parts).toString();
    for (const other of ['"holds":false', '"holds":null', '"holds":1']) {
      const { fault } = await verify(Buffer.from(text.replace('"holds":true', other)), made.file);
      expect(fault).not.toBe('');
    }
    const file = made.parts.find((part): part is Extract<ProofPart, { kind: 'file' }> => {
      return part.kind === 'file';
    });
    expect(file?.file.hasHolds).toBe(true);
  });
});
