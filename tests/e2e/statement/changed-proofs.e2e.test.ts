import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { isRefusedOrTrue, verify } from '../../../core/statement-proof/test-support.ts';
import { runWallet } from '../../../scripts/product.ts';
import { createWorld, expectCode, type Person, type World } from '../../support/processes/world.ts';

type Made = { readonly file: Buffer; readonly proof: Buffer };

let world: World;
let ana: Person;
let out: string;
/** Statements that differ in one thing each, with their proofs, as a server gave them. */
const made = new Map<string, Made>();
const pause = () => new Promise((resolve) => setTimeout(resolve, 20));

beforeAll(async () => {
  world = await createWorld();
  await world.start();
  const people = [await world.customer('ana'), await world.customer('bia')] as const;
  ana = people[0];
  out = join(world.folder, 'out');
  await mkdir(out);
  const times: string[] = [];
  for (let i = 1; i <= 7; i += 1) {
    const money = i === 5 ? ['withdraw', '1.25'] : ['deposit', '3.50'];
    const note = i === 4 ? ['--description', 'a "note", 7; ção'] : [];
    for (const [person, currency] of [
      [ana, 'BRL'],
      [ana, 'EUR'],
      [people[1], 'BRL'],
    ] as const) {
      await person.json([...money, '--currency', currency, '--yes', '--new-key', ...note]);
    }
    await pause();
    times.push(new Date().toISOString());
    await pause();
  }
  expectCode(await world.walletd(['checkpoint']), 0);
  const first = ['--from', times[1]!, '--to', times[4]!];
  const later = ['--from', times[2]!, '--to', times[5]!];
  const exports: readonly [string, Person, string, readonly string[]][] = [
    ['ana.csv', ana, 'BRL', first],
    ['euro.csv', ana, 'EUR', first],
    ['later.csv', ana, 'BRL', later],
    ['bia.csv', people[1], 'BRL', first],
    ['ana.json', ana, 'BRL', first],
    ['euro.json', ana, 'EUR', first],
    ['later.json', ana, 'BRL', later],
    ['ana.journal', ana, 'BRL', first],
  ];
  for (const [name, person, currency, range] of exports) {
    const file = join(out, name);
    const args = ['statement', 'export', '--currency', currency, ...range, '--proof'];
    await person.json([...args, '--file', file]);
    made.set(name, {
      file: await readFile(file),
      proof: await readFile(`${file}.proof.json`),
    });
  }
});
afterAll(() => world.dispose());

const madeOf = (name: string): Made => {
  const found = made.get(name);
  if (!found) throw new Error(`there is no ${name}`);
  return found;
};
const timesIn = (proof: Buffer): number[] =>
  [...proof.toString().matchAll(/"occurredAtMs":(\d+)/g)].map(([, ms]) => Number(ms));
const faultOf = async (proof: Buffer | string, file: Buffer): Promise<string> =>
  (await verify(Buffer.from(proof), file, 1 << 20)).fault;

describe('files and proofs of a server', () => {
  it('each file is proved by its own proof and by no other', async () => {
    for (const [of, { file }] of made) {
      for (const [by, { proof }] of made) {
        const fault = await faultOf(proof, file);
        if (of === by) expect(fault, of).toBe('');
        else expect(fault, `${of} by ${by}`).not.toBe('');
      }
    }
  });

  it.each(['ana.csv', 'ana.json', 'ana.journal'])(
    '%s and its proof are refused whichever byte was changed',
    async (name) => {
      const { file, proof } = madeOf(name);
      const timesMs = timesIn(proof);
      const flip = (bytes: Buffer, at: number, by: number): Buffer => {
        const changed = Buffer.from(bytes);
        changed[at % bytes.length] = (changed[at % bytes.length]! + by) % 256;
        return changed;
      };
      await fc.assert(
        fc.asyncProperty(fc.nat(), fc.integer({ min: 1, max: 255 }), async (at, by) => {
          const changed = flip(proof, at, by);
          expect(await isRefusedOrTrue(changed, { proof, file }, timesMs)).toBe(true);
          expect(await faultOf(proof, flip(file, at, by))).not.toBe('');
        }),
        { numRuns: 300 },
      );
    },
  );
});

/** Other values of the same shape, of every field in a JSON value. */
function* changeValue(value: unknown): Generator {
  if (Array.isArray(value)) {
    for (const [at, item] of value.entries()) {
      for (const other of changeValue(item)) yield value.with(at, other);
      yield value.toSpliced(at, 1);
      yield value.toSpliced(at, 0, item);
    }
  } else if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value);
    for (const [at, [name, item]] of entries.entries()) {
      for (const other of changeValue(item)) yield { ...value, [name]: other };
      yield { ...value, [name]: null };
      yield Object.fromEntries(entries.toSpliced(at, 1));
    }
    yield { ...value, added: '' };
  } else if (typeof value === 'string') {
    yield* changeText(value);
  } else {
    yield typeof value === 'number' ? value + 1 : value !== true;
  }
}

function* changeText(text: string): Generator<string> {
  const parsed = Date.parse(text);
  if (/^-?\d+$/.test(text)) yield* [`${BigInt(text) + 1n}`, `${BigInt(text) - 1n}`, `0${text}`];
  else if (/^[0-9a-f]{64}$/.test(text)) yield text.replace(/^./, (at) => (at === '0' ? '1' : '0'));
  else if (/^[0-9a-f-]{36}$/.test(text)) yield text.replace(/.$/, (at) => (at === '0' ? '1' : '0'));
  else if (text.endsWith('Z') && !Number.isNaN(parsed)) {
    yield* [-3_600_000, 3_600_000].map((by) => new Date(parsed + by).toISOString());
  } else
    yield* [`${text}x`, '', 'deposit', 'cancellation', 'message', 'pt-BR', 'csv', 'json', 'UTC'];
}

describe('a proof of a server whose fields are changed', () => {
  it.each(['ana.csv', 'ana.json', 'ana.journal'])(
    'the proof of %s is refused with any other value of any field',
    async (name) => {
      const { file, proof } = madeOf(name);
      const timesMs = timesIn(proof);
      const lines = proof.toString().split('\n');
      let changes = 0;
      for (const [at, line] of lines.entries()) {
        const [, key = '', text, end = ''] = /^("\w+":)?(\{.*\}|"[^"]*")(,|\}?)$/.exec(line) ?? [];
        if (text === undefined) continue;
        const [value, closing] = key.includes('checkpoint')
          ? [text.slice(0, -1), '}']
          : [text, end];
        for (const other of changeValue(JSON.parse(closing === '}' ? value : text) as unknown)) {
          const changed = lines.with(at, `${key}${JSON.stringify(other)}${closing}`).join('\n');
          if (changed === proof.toString()) continue;
          changes += 1;
          const isHarmless = isRefusedOrTrue(Buffer.from(changed), { proof, file }, timesMs);
          expect(await isHarmless, changed.split('\n')[at]).toBe(true);
        }
      }
      // Of some fourteen lines with two to twelve fields each.
      expect(changes).toBeGreaterThan(200);
    },
  );
});

describe('a proof of great size', () => {
  it('a proof of any size and depth is checked in bounded memory, with a clear error', async () => {
    const name = join(out, 'ana.csv');
    const text = madeOf('ana.csv').proof.toString();
    const [head = '', tail = ''] = text.split(/(?<="followingDigests":\[\n)/);
    const digest = `"${'ab'.repeat(32)}",\n`;
    const hostile: readonly [string, string, string, number, RegExp][] = [
      ['digests', head, digest.repeat(1_000), 700, /the leaf of the proof: seq is/],
      ['one-line', `${head}"`, 'a'.repeat(65_536), 700, /is longer than any line of a proof/],
      ['deep', `${head.split('\n')[0]}\n"file":`, '['.repeat(65_536), 700, /is longer than/],
      ['feeds', head, '\n'.repeat(65_536), 700, /followingDigests has no valid value/],
    ];
    for (const [kind, first, part, count, why] of hostile) {
      const path = join(out, `${kind}.proof.json`);
      const stream = createWriteStream(path);
      stream.write(first);
      for (let i = 0; i < count; i += 1) stream.write(part);
      stream.end(tail);
      await finished(stream);
      const done = await runWallet(['statement', 'verify', name, '--proof', path, '--json'], {
        // With 45 MB of digests: a program that kept them would end without an answer.
        env: { ...ana.env, NODE_OPTIONS: '--max-old-space-size=40' },
      });
      expectCode(done, 10);
      expect(done.stderr).toMatch(why);
    }
    const junk = join(out, 'junk.proof.json');
    for (const content of ['[]', '{}', 'null', '{"statementProof":1}', '"x"\n', '7\n', '\u0000']) {
      await writeFile(junk, content);
      const done = await runWallet(['statement', 'verify', name, '--proof', junk, '--json'], {
        env: ana.env,
      });
      expectCode(done, 10);
      expect(done.stderr).toMatch(/PROOF_MISMATCH.*line 1 of the proof/);
    }
  });
});
