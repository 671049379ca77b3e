import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { runWallet } from '../../../scripts/product.ts';
import { createWorld, expectCode, type Person, type World } from '../../support/processes/world.ts';

type Exported = { id: string; file: string; proof: string; rows: number };
type Proved = {
  lines: number;
  firstSeq: number;
  lastSeq: number;
  opening: string;
  closing: string;
  periodProved: boolean;
  checkpoint: { keyId: string; keyOrigin: string; keyServer: string };
};
type Failed = { error: { reason: string; message: string; hint: string; field: string } };

let world: World;
let ana: Person;
let bia: Person;
let out: string;
/** Between the second and third deposit of Ana, and between the fifth and the sixth. */
let range: string[];
const pause = () => new Promise((resolve) => setTimeout(resolve, 20));

beforeAll(async () => {
  world = await createWorld();
  await world.start();
  [ana, bia] = [await world.customer('ana'), await world.customer('bia')];
  out = join(world.folder, 'out');
  await mkdir(out);
  const times: string[] = [];
  for (let i = 1; i <= 7; i += 1) {
    const note = i === 4 ? ['--description', '=a "note", 7;'] : [];
    await ana.json(['deposit', `${i}.50`, '--yes', ...note]);
    await bia.json(['deposit', '1.00', '--yes', '--description', 'private of bia']);
    await pause();
    times.push(new Date().toISOString());
    await pause();
  }
  range = ['--from', times[1]!, '--to', times[4]!];
});

afterAll(() => world.dispose());

const fileOf = (name: string): string => join(out, name);
const failureOf = (stderr: string): Failed['error'] => {
  const line = stderr.split('\n').find((one) => one.startsWith('{"error"')) ?? '{}';
  return (JSON.parse(line) as Failed).error;
};
/** Nothing listens there: a command that needed a server would end with 7. */
const nowhere = { WALLET_SERVER: '127.0.0.1:1' };
const verify = (args: readonly string[], env = ana.env) =>
  runWallet(['statement', 'verify', ...args, '--json'], { env: { ...env, ...nowhere } });

const names = {
  'a.csv': [],
  'brazil.csv': ['--locale', 'pt-BR', '--bom', '--timezone', 'America/Sao_Paulo'],
  'a.json': [],
  'a.ndjson': [],
  'a.journal': [],
} as const;

describe('statement export --proof', () => {
  it('without a checkpoint after the period, the file is saved and its proof is pending', async () => {
    const file = fileOf('early.csv');
    const ran = await ana.run([
      'statement',
      'export',
      ...range,
      '--proof',
      '--file',
      file,
      '--json',
    ]);
    expectCode(ran, 7);
    const { reason, hint } = failureOf(ran.stderr);
    expect(reason).toBe('CHECKPOINT_PENDING');
    expect(hint).toContain('walletd checkpoint');
    expect(await readFile(file, 'utf8')).toContain('3.50');
    expectCode(await world.walletd(['checkpoint']), 0);
    const [again = ''] = /wallet exports download .*$/m.exec(hint) ?? [];
    const fetched = await ana.run([...again.split(' ').slice(1), '--json']);
    expectCode(fetched, 0);
    expectCode(await verify([file]), 0);
  });

  it.each(Object.entries(names))('export --proof writes a proof beside %s', async (name, args) => {
    const command = ['statement', 'export', ...range, ...args, '--proof', '--file', fileOf(name)];
    const made = await ana.json<Exported>(command);
    expect(made).toMatchObject({ rows: 3, proof: `${fileOf(name)}.proof.json` });
    const proof = await readFile(made.proof, 'utf8');
    expect(JSON.parse(proof)).toMatchObject({ statementProof: 1, entryBefore: { seq: '2' } });
    for (const secret of [bia.id, 'private of bia']) expect(proof).not.toContain(secret);
  });

  it('export refuses --proof without a file, and --hide-neighbours without --proof', async () => {
    for (const args of [
      ['--proof', '--file', '-'],
      ['--proof', '--no-wait'],
      ['--hide-neighbours'],
    ]) {
      expectCode(await ana.run(['statement', 'export', ...range, ...args]), 2);
    }
  });
});

describe('statement verify, with the daemon stopped', () => {
  beforeAll(async () => {
    const hidden = ['--proof', '--hide-neighbours', '--file', fileOf('hidden.csv')];
    await ana.json<Exported>(['statement', 'export', ...range, ...hidden]);
    await world.stop();
  });
  afterAll(() => world.start());

  it.each(Object.keys(names))('verify proves %s', async (name) => {
    const done = await verify([fileOf(name)]);
    expectCode(done, 0);
    expect(JSON.parse(done.stdout) as Proved).toMatchObject({
      ...{ lines: 3, firstSeq: 3, lastSeq: 5, opening: '4.00', closing: '17.50' },
      ...{ periodProved: true, checkpoint: { keyOrigin: 'known' } },
    });
  });

  it('verify says in plain words what was proved', async () => {
    const done = await runWallet(['statement', 'verify', fileOf('a.csv')], {
      env: { ...ana.env, ...nowhere },
    });
    expectCode(done, 0);
    expect(done.stdout).toContain('3: entries 3 to 5 of the ledger');
    expect(done.stdout).toContain('opening 4.00 BRL');
    expect(done.stdout).toContain('no entry before or after the lines is in the period');
  });

  it('verify names the line and the field of a changed file', async () => {
    const text = await readFile(fileOf('a.csv'), 'utf8');
    const changed = fileOf('changed.csv');
    await writeFile(changed, text.replace(',4.50,', ',45.00,'));
    const done = await verify([changed, '--proof', `${fileOf('a.csv')}.proof.json`]);
    expectCode(done, 10);
    expect(failureOf(done.stderr)).toMatchObject({ reason: 'PROOF_MISMATCH', field: 'credit' });
    expect(failureOf(done.stderr).message).toContain(
      'line 3 of the file, entry 4: credit is "45.00" in the file, and "4.50" in the ledger',
    );
  });

  it('verify names the entry of a changed proof, and refuses the proof of another file', async () => {
    const proof = await readFile(`${fileOf('a.csv')}.proof.json`, 'utf8');
    const changed = fileOf('changed.proof.json');
    await writeFile(changed, proof.replace('"amountMinor":"450"', '"amountMinor":"4500"'));
    const done = await verify([fileOf('a.csv'), '--proof', changed]);
    expectCode(done, 10);
    expect(failureOf(done.stderr).message).toContain('entry 4 of the proof: hash');
    const other = await verify([fileOf('a.csv'), '--proof', `${fileOf('a.json')}.proof.json`]);
    expectCode(other, 10);
  });

  it('a hidden neighbour leaves the period unproved, and the lines proved', async () => {
    const done = await verify([fileOf('hidden.csv')]);
    expectCode(done, 10);
    expect(JSON.parse(done.stdout) as Proved).toMatchObject({ periodProved: false, lines: 3 });
    expect(done.stderr).toContain('--hide-neighbours');
  });

  it('a key that is not known is refused, and accepted from a file', async () => {
    const stranger = await world.homeOf('stranger');
    const done = await verify([fileOf('a.csv')], stranger);
    expectCode(done, 10);
    expect(failureOf(done.stderr).reason).toBe('PROOF_KEY_UNKNOWN');
    const { checkpoint } = JSON.parse(await readFile(`${fileOf('a.csv')}.proof.json`, 'utf8')) as {
      checkpoint: { publicKey: string };
    };
    const key = fileOf('key.pem');
    await writeFile(key, `the bank's key\n${checkpoint.publicKey}`);
    const given = await verify([fileOf('a.csv'), '--key', key], stranger);
    expectCode(given, 0);
    expect(JSON.parse(given.stdout) as Proved).toMatchObject({
      checkpoint: { keyOrigin: 'given' },
    });
    await writeFile(key, 'no key');
    expectCode(await verify([fileOf('a.csv'), '--key', key], stranger), 2);
  });

  it('files that are not there, or no proofs, are refused with what is wrong', async () => {
    expectCode(await verify([fileOf('none.csv')]), 2);
    expectCode(await verify([fileOf('a.csv'), '--proof', fileOf('none')]), 2);
    expectCode(await verify([out]), 2);
    const done = await verify([fileOf('a.csv'), '--proof', fileOf('a.csv')]);
    expectCode(done, 10);
    expect(failureOf(done.stderr).message).toContain('this is no proof of a statement');
  });
});
