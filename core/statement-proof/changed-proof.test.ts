import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { makeModelProof, printModelProof } from '../../tests/support/ledger/proof-model.ts';
import {
  faultOf,
  isRefusedOrTrue,
  key,
  make,
  other,
  range,
  startMs,
  verify,
  wallet,
  wallets,
} from './test-support.ts';
import type { ProofEntry, ProofPart } from './types.ts';

describe('a changed proof', () => {
  const made = make();
  const proof = printModelProof(made.parts);
  const changeAt = (kind: ProofPart['kind'], change: (part: never) => object): ProofPart[] => {
    const at = made.parts.findIndex((part) => part.kind === kind);
    const part = made.parts[at]!;
    return made.parts.with(at, { ...part, ...change(part as never) });
  };

  const timesMs = wallet.entries.map((entry) => entry.occurredAtMs);
  const isHarmless = (changed: Buffer) =>
    isRefusedOrTrue(changed, { proof, file: made.file }, timesMs);

  it('a proof is refused whichever byte was changed, but for another true period', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(proof.length - 1),
        fc.integer({ min: 1, max: 255 }),
        async (at, by) => {
          const changed = Buffer.from(proof);
          changed[at] = (changed[at]! + by) % 256;
          expect(await isHarmless(changed)).toBe(true);
        },
      ),
      { numRuns: 400 },
    );
  });

  it('any other digit of the period is refused, or proves a period with the same entries', async () => {
    const [line = ''] = proof.toString().match(/"from":.*"to":[^,]*/) ?? [];
    const start = proof.indexOf(line);
    let accepted = 0;
    for (let at = start; at < start + line.length; at += 1) {
      for (const digit of '0123456789') {
        const changed = Buffer.from(proof);
        changed[at] = digit.charCodeAt(0);
        expect(await isHarmless(changed), `${at - start}: ${digit}`).toBe(true);
        if ((await verify(changed, made.file)).claim) accepted += 1;
      }
    }
    // The digit that stands there at each place, and those that leave the entries as they are.
    expect(accepted).toBeGreaterThan(34);
  });

  it('a signature and a key have one text: no other base64 of the same bytes is taken', async () => {
    const text = proof.toString();
    const ends = [/(?<="signature":"\S{85})\S(?===")/, /(?<=MCowBQYDK2VwAyEA\S{42})\S(?==)/];
    const chars = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
    for (const end of ends) {
      const [found = ''] = end.exec(text) ?? [];
      expect(found).not.toBe('');
      for (const char of chars.replace(found, '')) {
        const changed = Buffer.from(text.replace(end, char));
        expect((await verify(changed, made.file)).fault, char).toMatch(/signature|publicKey/);
      }
    }
    for (const [from, to] of [
      ['-----BEGIN', 'A key:\\n-----BEGIN'],
      ['KEY-----\\n"', 'KEY-----"'],
      ['KEY-----\\n"', 'KEY-----\\n\\n"'],
      ['-----\\nMCow', '-----\\r\\nMCow'],
      ['"signature":"', '"signature":" '],
    ] as const) {
      expect(text).toContain(from);
      const changed = Buffer.from(text.replace(from, to));
      expect((await verify(changed, made.file)).fault, to).toMatch(/signature|publicKey/);
    }
  });

  it('a proof is refused wherever it is cut off, and with anything behind it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(proof.length - 1), async (length) => {
        expect((await verify(proof.subarray(0, length), made.file)).fault).not.toBe('');
      }),
      { numRuns: 100 },
    );
    const longer = Buffer.concat([proof, Buffer.from('{}\n')]);
    expect((await verify(longer, made.file)).fault).toContain('is followed by more');
  });

  const lineChanges: { [Field in keyof ProofEntry]: ProofEntry[Field] } = {
    id: '00000000-0000-5000-8000-ffffffffffff',
    seq: 99n,
    operation: 'cancellation',
    amountMinor: 12_345n,
    balanceAfterMinor: 12_345n,
    contraAccount: 'external:other',
    parentId: '00000000-0000-5000-8000-ffffffffffff',
    source: 'other',
    actor: 'other',
    description: 'other',
    metadata: { other: 'x' },
    more: { heldMinor: 5n, heldAfterMinor: 0n, parentUsedMinor: 0n, groupId: undefined },
    occurredAtMs: startMs,
    hash: 'f'.repeat(64),
  };

  it.each(Object.entries(lineChanges))(
    'a changed %s of any entry is refused, and the entry is named',
    async (name, value) => {
      for (const kind of ['before', 'line', 'after'] as const) {
        const parts = changeAt(kind, ({ entry }: { entry: ProofEntry }) => ({
          entry: { ...entry, [name]: value },
        }));
        const entry = (parts.find((part) => part.kind === kind) as { entry: ProofEntry }).entry;
        expect(await faultOf(parts, made.file)).toContain(`entry ${entry.seq} of the proof`);
      }
    },
  );

  it('a proof is refused with an entry or a digest less, more or moved', async () => {
    for (const [at, part] of made.parts.entries()) {
      if (!['before', 'line', 'after', 'digest'].includes(part.kind)) continue;
      const without = made.parts.toSpliced(at, 1);
      expect(await faultOf(without, made.file)).not.toBe('');
      // A proof has no place for a second entry before or after the lines.
      if (part.kind !== 'line' && part.kind !== 'digest') continue;
      expect(await faultOf(made.parts.toSpliced(at, 0, part), made.file)).not.toBe('');
    }
    const digests = made.parts.filter((part) => part.kind === 'digest');
    const at = made.parts.findIndex((part) => part.kind === 'digest');
    const swapped = made.parts.toSpliced(at, digests.length, ...digests.toReversed());
    expect(await faultOf(swapped, made.file)).toContain('the leaf of the proof: hash');
  });

  it('a proof is refused with another wallet, user, currency, period or time zone', async () => {
    for (const change of [
      { walletId: other.walletId },
      { userId: other.userId },
      { currency: 'EUR' },
      { fromMs: wallet.entries[3]!.occurredAtMs + 1 },
      { toMs: wallet.entries[7]!.occurredAtMs },
      { toMs: wallet.entries[8]!.occurredAtMs + 1 },
      { fromMs: wallet.entries[2]!.occurredAtMs },
      { timezone: 'Asia/Tokyo' },
    ]) {
      const parts = changeAt('statement', ({ statement }: { statement: object }) => ({
        statement: { ...statement, ...change },
      }));
      expect(await faultOf(parts, made.file), JSON.stringify(change)).not.toBe('');
    }
  });

  it('a proof is refused with the lines, the leaf or the checkpoint of another proof', async () => {
    const foreign = makeModelProof(wallets, other, range, key);
    const later = make({ leafSeq: 12 });
    for (const kind of ['statement', 'start', 'leaf', 'checkpoint'] as const) {
      for (const source of [foreign, later]) {
        const replaced = source.parts.find((part) => part.kind === kind)!;
        const parts = made.parts.map((part) => (part.kind === kind ? replaced : part));
        if (printModelProof(parts).equals(proof)) continue;
        expect(await faultOf(parts, made.file), kind).not.toBe('');
      }
    }
    expect(await faultOf(foreign.parts, made.file)).not.toBe('');
  });

  it('a proof is refused with a path or an index that does not lead to the root', async () => {
    const leaf = (change: object) =>
      changeAt('leaf', (part: { leaf: object }) => ({ leaf: { ...part.leaf, ...change } }));
    const [found] = made.parts.flatMap((part) => (part.kind === 'leaf' ? [part.leaf] : []));
    const { path, index } = found!;
    for (const change of [
      { index: index + 1n },
      { index: index === 0n ? 5n : index - 1n },
      { index: index + 8n },
      { path: path.slice(1) },
      { path: path.slice(0, -1) },
      { path: [...path, path[0]!] },
      { path: path.toReversed() },
      { path: [] },
    ]) {
      expect(await faultOf(leaf(change), made.file), JSON.stringify(Object.keys(change))).not.toBe(
        '',
      );
    }
  });

  it('last lines that are turned into digests are found by the entries beside the period', async () => {
    // What a holder of the proof can do without any key: leave entry 8 out of the statement.
    const short = make({ lastSeq: 7 });
    const { statement } = made.parts.find(({ kind }) => kind === 'statement') as {
      statement: object;
    };
    const forged = (parts: readonly ProofPart[]): ProofPart[] =>
      parts.map((part) => (part.kind === 'statement' ? { ...part, statement } : part) as ProofPart);
    const signed = made.parts.at(-1)!;
    const own = [...forged(short.parts).slice(0, -1), signed];
    expect(await faultOf(own, short.file)).toContain('is in the period: a line was left out');
    // Hidden, they prove the lines only, and not the period.
    const hidden = make({ lastSeq: 7, hidesNeighbours: true });
    const verdict = await verify(
      printModelProof([...forged(hidden.parts).slice(0, -1), signed]),
      hidden.file,
    );
    expect(verdict.claim?.isPeriodProved ?? false).toBe(false);
  });
});

describe('hostile proofs', () => {
  const file = Buffer.from('x');
  it.each([
    ['empty', Buffer.alloc(0)],
    ['no JSON', Buffer.from('hello\n')],
    ['another version', Buffer.from('{"statementProof":2,\n')],
    ['not UTF-8', Buffer.from([0xff, 0xfe, 0x0a])],
    ['a line without end', Buffer.alloc(5_000_000, 0x20)],
    ['an array', Buffer.from('[]\n')],
    ['deep nesting', Buffer.from(`{"statementProof":1,\n"file":${'['.repeat(60_000)},\n`)],
    ['a prototype', Buffer.from('{"statementProof":1,\n"file":{"__proto__":{}},\n')],
    ['line ends of Windows', Buffer.from('{"statementProof":1,\r\n')],
  ])('a hostile proof is refused: %s', async (_name, proof) => {
    const { fault } = await verify(proof, file);
    expect(fault).toMatch(/^line \d of the proof: /);
  });

  it('any bytes and any lines of the right shape are refused', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.json({ maxDepth: 3 }), { maxLength: 12 }), async (values) => {
        const keys = ['file', 'statement', 'previous', 'entryBefore', 'lines'];
        const rows = values.map((value, i) => `"${keys[i % keys.length]}":${value},`);
        const proof = Buffer.from(['{"statementProof":1,', ...rows, ''].join('\n'));
        expect((await verify(proof, file)).fault).not.toBe('');
      }),
      { numRuns: 200 },
    );
  });
});
