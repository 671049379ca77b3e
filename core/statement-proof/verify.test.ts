import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { printModelProof } from '../../tests/support/ledger/proof-model.ts';
import { csv, make, verify, wallet, wallets } from './test-support.ts';

const formats = (['csv', 'json', 'ndjson', 'hledger'] as const).flatMap((format) =>
  (['en', 'pt-BR'] as const).map((locale) => ({
    format,
    locale,
    hasByteOrderMark: format === 'csv',
    hasHolds: false,
  })),
);

describe('a statement with its proof', () => {
  it.each(formats)('a statement in $format, $locale is proved', async (file) => {
    for (const [firstSeq, lastSeq, leafSeq] of [
      [1, 12, 12],
      [1, 5, 9],
      [4, 8, 8],
      [4, 8, 9],
      [4, 8, 12],
      [12, 12, 12],
      [5, 4, 4],
      [5, 4, 12],
    ] as const) {
      const made = make({ file, firstSeq, lastSeq, leafSeq });
      const { claim, fault } = await verify(printModelProof(made.parts), made.file);
      expect(fault, `${firstSeq} ${lastSeq} ${leafSeq}`).toBe('');
      expect(claim).toMatchObject({
        isPeriodProved: true,
        statement: { walletId: wallet.walletId },
      });
      expect(claim?.lines.count).toBe(BigInt(lastSeq - firstSeq + 1));
    }
  });

  it('a statement is proved whatever the sizes of the chunks are', async () => {
    const made = make();
    for (const chunkBytes of [1, 7, 4_096, 1_000_000]) {
      expect((await verify(printModelProof(made.parts), made.file, chunkBytes)).fault).toBe('');
    }
  });

  it('without the entries beside the lines its period is not proved, and its lines are', async () => {
    const made = make({ hidesNeighbours: true });
    const shown = printModelProof(made.parts).toString();
    for (const seq of [3, 9, 10, 11]) expect(shown).not.toContain(wallet.entries[seq - 1]!.id);
    const { claim } = await verify(printModelProof(made.parts), made.file);
    expect(claim).toMatchObject({ isPeriodProved: false, lines: { firstSeq: 4n, lastSeq: 8n } });
  });

  it('a wallet without other entries needs none beside the lines', async () => {
    const made = make({ hidesNeighbours: true, firstSeq: 1, lastSeq: 12, leafSeq: 12 });
    const { claim } = await verify(printModelProof(made.parts), made.file);
    expect(claim?.isPeriodProved).toBe(true);
  });

  it('a proof shows nothing of other wallets, and of later entries only digests', () => {
    const made = make({ leafSeq: 12 });
    const shown = printModelProof(made.parts).toString();
    for (const { walletId, userId } of wallets.filter((one) => one !== wallet)) {
      expect(shown).not.toContain(walletId);
      expect(shown).not.toContain(userId);
    }
    for (const seq of [1, 2, 10, 11, 12]) {
      expect(shown).not.toContain(wallet.entries[seq - 1]!.id);
    }
  });
});

describe('a changed file', () => {
  it.each(formats)(
    'a file in $format, $locale is refused, whichever byte was changed',
    async (file) => {
      const made = make({ file });
      const proof = printModelProof(made.parts);
      await fc.assert(
        fc.asyncProperty(
          fc.nat(made.file.length - 1),
          fc.integer({ min: 1, max: 255 }),
          async (at, by) => {
            const changed = Buffer.from(made.file);
            changed[at] = (changed[at]! + by) % 256;
            expect((await verify(proof, changed)).fault).not.toBe('');
          },
        ),
        { numRuns: 60 },
      );
    },
  );

  it.each(formats)(
    'a file in $format, $locale is refused with a line less, more or moved',
    async (file) => {
      const made = make({ file });
      const proof = printModelProof(made.parts);
      const rows = made.file.toString().split(/(?<=\n)/);
      for (let i = 0; i < rows.length; i += 1) {
        const without = rows.filter((_row, n) => n !== i);
        const twice = rows.flatMap((row, n) => (n === i ? [row, row] : [row]));
        const moved = [...without.slice(0, i + 1), rows[i]!, ...without.slice(i + 1)];
        for (const changed of [without, twice, moved]) {
          if (changed.join('') === rows.join('')) continue;
          expect((await verify(proof, Buffer.from(changed.join('')))).fault).not.toBe('');
        }
      }
    },
  );

  it('a changed cell of a CSV file is named by its line and column', async () => {
    const made = make();
    const proof = printModelProof(made.parts);
    const rows = made.file.toString().split('\r\n');
    const place = rows.findIndex((row, i) => i > 1 && row.includes(wallet.entries[5]!.id));
    const cells = rows[place]!.split(',');
    const expected = cells.at(-2)!;
    const changed = rows.with(place, cells.with(-2, '99999.99').join(',')).join('\r\n');
    const { fault } = await verify(proof, Buffer.from(changed));
    const line = rows.slice(0, place).join('\n').split('\n').length + 1;
    expect(fault).toBe(
      `line ${line} of the file, entry 6: balance is "99999.99" in the file, ` +
        `and "${expected}" in the ledger`,
    );
  });

  it('a line that is left out is named', async () => {
    const made = make();
    const text = made.file.toString();
    const id = wallet.entries[5]!.id;
    const start = text.lastIndexOf('\r\n', text.indexOf(id)) + 2;
    const end = text.indexOf(wallet.entries[6]!.id);
    const next = text.lastIndexOf('\r\n', end) + 2;
    const { fault } = await verify(
      printModelProof(made.parts),
      Buffer.from(text.slice(0, start) + text.slice(next)),
    );
    expect(fault).toContain(`is not entry 6 (transaction ${id}) of the ledger`);
  });

  it.each([
    ['json', 'description', /"description":"[^"]*"/, '"description":"x"'],
    ['json', 'closing', /"closing":"[^"]*"/, '"closing":"1.00"'],
    ['ndjson', 'balance', /"balance":"[^"]*"/, '"balance":"1.00"'],
    ['hledger', 'amount or balance', / = \S+/, ' = 1.00'],
  ] as const)('a changed field of a %s file is named: %s', async (format, field, from, to) => {
    const made = make({ file: { ...csv, format }, firstSeq: 1 });
    const changed = made.file.toString().replace(from, to);
    const { fault } = await verify(printModelProof(made.parts), Buffer.from(changed));
    expect(fault).toContain(`: ${field} is "`);
  });

  it('a file that is cut off or longer is refused', async () => {
    const made = make();
    const proof = printModelProof(made.parts);
    const cut = await verify(proof, made.file.subarray(0, -20));
    expect(cut.fault).toContain('is missing or cut off: entry 8');
    const longer = await verify(proof, Buffer.concat([made.file, Buffer.from('\r\n')]));
    expect(longer.fault).toContain('the statement has no more lines');
    expect((await verify(proof, Buffer.alloc(0))).fault).toContain('header');
  });
});
