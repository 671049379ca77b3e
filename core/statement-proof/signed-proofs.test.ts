import { createPublicKey } from 'node:crypto';

import { describe, expect, it } from 'vitest';

import {
  createModelKey,
  makeModelProof,
  printModelProof,
  rechainModelWallet,
} from '../../tests/support/ledger/proof-model.ts';
import { keyIdOf, signCheckpoint } from '../checkpoint.ts';
import { key, faultOf, make, range, verify, wallet, wallets } from './test-support.ts';
import type { ProofEntry, ProofPart, SignedCheckpoint } from './types.ts';
import { verifyStatement } from './verify.ts';

describe('the signature', () => {
  const made = make();
  const withCheckpoint = (change: (signed: SignedCheckpoint) => Partial<SignedCheckpoint>) =>
    faultOf(
      made.parts.map((part): ProofPart =>
        part.kind === 'checkpoint'
          ? { ...part, checkpoint: { ...part.checkpoint, ...change(part.checkpoint) } }
          : part,
      ),
      made.file,
    );

  it('a signature that was changed, or is of another text, is refused', async () => {
    const other = make({ leafSeq: 12 }).parts.at(-1) as { checkpoint: SignedCheckpoint };
    for (const signature of [
      Buffer.alloc(64).toString('base64'),
      '',
      'no base64',
      other.checkpoint.signature,
    ]) {
      expect(await withCheckpoint(() => ({ signature }))).toContain('signature is not valid');
    }
  });

  it('a key of a forger, who signs the same text or their own, has another name', async () => {
    const forger = createModelKey();
    const { publicKey } = forger;
    const sign = (text: string) => signCheckpoint(text, forger.privateKey);
    expect(await withCheckpoint(({ text }) => ({ publicKey, signature: sign(text) }))).toContain(
      'publicKey is not the key',
    );
    // With a name of their own it holds, and it is the forger's key that the reader must not trust.
    const keyId = keyIdOf(createPublicKey(publicKey));
    const forged = ({ text }: SignedCheckpoint) => text.replace(/key \w+\n$/, `key ${keyId}\n`);
    const parts = made.parts.map((part): ProofPart => {
      if (part.kind !== 'checkpoint') return part;
      const text = forged(part.checkpoint);
      return { ...part, checkpoint: { text, publicKey, signature: sign(text) } };
    });
    const { claim } = await verify(printModelProof(parts), made.file);
    expect(claim?.seal).toMatchObject({ keyId, publicKey });
  });

  it('a public key of another kind, and a text that is no checkpoint, are refused', async () => {
    expect(await withCheckpoint(() => ({ publicKey: 'no key' }))).toContain('is no Ed25519 key');
    const text = 'something else\n';
    const signature = signCheckpoint(text, key.privateKey);
    expect(await withCheckpoint(() => ({ text, signature }))).toContain('text is not that of');
  });
});

describe('a signed ledger that contradicts itself', () => {
  const proveChanged = async (change: (entry: ProofEntry) => Partial<ProofEntry>) => {
    const changed = rechainModelWallet(wallet, change);
    const all = wallets.map((one) => (one === wallet ? changed : one));
    const made = makeModelProof(all, changed, { ...range, firstSeq: 1 }, key);
    return (await verify(printModelProof(made.parts), made.file)).fault;
  };
  const at = (seq: bigint, change: (entry: ProofEntry) => Partial<ProofEntry>) =>
    proveChanged((entry) => (entry.seq === seq ? change(entry) : {}));

  it('unchanged, it is proved', async () => {
    expect(await proveChanged(() => ({}))).toBe('');
  });

  it('a balance that is not the one before and the amount is refused', async () => {
    const fault = await at(6n, (entry) => ({ balanceAfterMinor: entry.balanceAfterMinor + 1n }));
    expect(fault).toContain('entry 6 of the proof: balanceAfterMinor');
    const first = await at(1n, (entry) => ({ amountMinor: entry.amountMinor + 1n }));
    expect(first).toContain('entry 1 of the proof: balanceAfterMinor');
  });

  it('a time before that of the entry before it is refused', async () => {
    const early = wallet.entries[3]!.occurredAtMs;
    const fault = await at(6n, () => ({ occurredAtMs: early }));
    expect(fault).toContain('entry 6 of the proof: occurredAtMs is before');
  });

  it('a seq that is missing or comes twice is refused', async () => {
    const gap = await proveChanged(({ seq }) => (seq >= 6n ? { seq: seq + 1n } : {}));
    expect(gap).toContain('entry 7 of the proof: seq does not follow entry 5');
    const twice = await proveChanged(({ seq }) => (seq >= 6n ? { seq: seq - 1n } : {}));
    expect(twice).toContain('entry 5 of the proof: seq does not follow entry 5');
  });

  it('a chain that does not begin with the genesis hash of its wallet is refused', async () => {
    const made = make({ firstSeq: 1 });
    const parts = made.parts.map((part): ProofPart =>
      part.kind === 'start' ? { ...part, start: { seq: 0n, hash: 'a'.repeat(64) } } : part,
    );
    expect(await faultOf(parts, made.file)).toContain('previous is not the hash that the chain');
  });

  it('a leaf of another seq than the chain leads to is refused', async () => {
    const made = make();
    const parts = made.parts.map((part): ProofPart =>
      part.kind === 'leaf' ? { ...part, leaf: { ...part.leaf, seq: 12n } } : part,
    );
    expect(await faultOf(parts, made.file)).toContain('the leaf of the proof: seq is 12');
  });
});

describe('the ends of the period', () => {
  const proves = async (change: Parameters<typeof make>[0]) => {
    const made = make(change);
    const { claim, fault } = await verify(printModelProof(made.parts), made.file);
    expect(fault).toBe('');
    return claim?.isPeriodProved;
  };

  it('both ends must be proved', async () => {
    const hidden = { hidesNeighbours: true };
    expect(await proves({ ...hidden, firstSeq: 1, lastSeq: 12, leafSeq: 12 })).toBe(true);
    expect(await proves({ ...hidden, firstSeq: 2, lastSeq: 12, leafSeq: 12 })).toBe(false);
    expect(await proves({ ...hidden, firstSeq: 1, lastSeq: 11, leafSeq: 12 })).toBe(false);
  });

  it('a checkpoint from before the end proves nothing about the end', async () => {
    const toMs = wallet.entries[7]!.occurredAtMs + 1;
    expect(await proves({ leafSeq: 8, checkpointMs: toMs })).toBe(true);
    expect(await proves({ leafSeq: 8, checkpointMs: toMs - 1 })).toBe(false);
    expect(await proves({ leafSeq: 9, checkpointMs: toMs - 1 })).toBe(true);
  });

  it('a period that ends before it begins is refused, also without lines', async () => {
    const made = make({ firstSeq: 5, lastSeq: 4 });
    const parts = made.parts.map((part): ProofPart => {
      if (part.kind !== 'statement') return part;
      const { fromMs } = part.statement;
      return { ...part, statement: { ...part.statement, fromMs: fromMs + 1 } };
    });
    expect(await faultOf(parts, made.file)).toContain('from is after to');
  });

  it('without lines and the entry before them the balance is not known', async () => {
    const made = make({ firstSeq: 5, lastSeq: 4, hidesNeighbours: true });
    expect(await faultOf(made.parts, made.file)).toContain('entryBefore is needed');
  });
});

/** So many hashes that a list begins with. */
const nulls = (count: number): string => `"${'0'.repeat(64)}",`.repeat(count);

describe('the text of a proof', () => {
  const made = make();
  const text = printModelProof(made.parts).toString();

  it.each([
    ['a blank in an entry', '"seq":"4",', '"seq": "4",'],
    ['a key twice', '"seq":"4",', '"seq":"4","seq":"4",'],
    ['an unknown key', '"seq":"4",', '"note":"","seq":"4",'],
    ['an escape that is not needed', '"operation":"d', '"operation":"\\u0064'],
    ['a number in another form', '"seq":"4",', '"seq":"04",'],
    ['a comma behind the last entry', '}\n],', '},\n],'],
    ['no comma between entries', '},\n{"seq":"5"', '}\n{"seq":"5"'],
    ['an empty line', '"lines":[\n', '"lines":[\n\n'],
    ['a list that is closed twice', '],\n"entryAfter"', '],\n],\n"entryAfter"'],
  ])('a proof that is written in another way is refused: %s', async (_name, from, to) => {
    expect(text).toContain(from);
    const { fault } = await verify(Buffer.from(text.replace(from, to)), made.file);
    expect(fault).toMatch(/^line \d+ of the proof: /);
  });

  it('a proof whose last line has no end is refused', async () => {
    const { fault } = await verify(Buffer.from(text.slice(0, -1)), made.file);
    expect(fault).toContain('has no end');
  });

  it('a line of a proof has a greatest length', async () => {
    const long = text.replace('"actor":"', `"actor":"${'a'.repeat(200_000)}`);
    const { fault } = await verify(Buffer.from(long), made.file);
    expect(fault).toContain('is longer than any line of a proof');
  });

  it.each([
    ['a text of more than 4,096 characters', /"actor":"/, `"actor":"${'a'.repeat(4_097)}`, 'actor'],
    ['a path of more than 63 hashes', /"path":\[/, `"path":[${nulls(64)}`, 'path'],
    ['half of a surrogate pair', /"actor":"/, '"actor":"\\ud800', 'actor'],
  ])('%s is refused before anything is computed', async (_what, from, to, field) => {
    expect(text).toMatch(from);
    const { fault } = await verify(Buffer.from(text.replace(from, to)), made.file);
    expect(fault).toMatch(new RegExp(`^line \\d+ of the proof: ${field} has no valid value`));
  });

  it('bytes that are not UTF-8 are refused as such', async () => {
    const [start, end] = [text.indexOf('"actor":"') + 9, text.length];
    const [before, after] = [text.slice(0, start), text.slice(start, end)];
    const broken = [Buffer.from(before), Buffer.of(0xff), Buffer.from(after)];
    const { fault } = await verify(Buffer.concat(broken), made.file);
    expect(fault).toMatch(/^line \d+ of the proof: proof is not UTF-8/);
  });

  it('a proof that changes while it is read is refused', async () => {
    const other = makeModelProof(wallets, wallet, range, createModelKey());
    const texts = [text, printModelProof(other.parts).toString()];
    const source = async function* () {
      yield await Promise.resolve(Buffer.from(texts.shift() ?? ''));
    };
    const rest = [made.file];
    const read = () => Promise.resolve(rest.shift() ?? Buffer.alloc(0));
    const verdict = await verifyStatement(source, { read });
    expect(verdict).toMatchObject({
      ok: false,
      fault: { message: expect.stringContaining('was changed') as string },
    });
  });
});
