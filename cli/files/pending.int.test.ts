import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import {
  hashCommand,
  openPendingKeys,
  type CanonicalCommand,
  type PendingKeys,
} from './pending.ts';

const key = 'b4013d1d-f8a6-54ce-835e-4d4f030245d6';
const command: CanonicalCommand = {
  profile: 'default',
  server: '127.0.0.1:50051',
  actor: 'a',
  user: 'u',
  operation: 'withdraw',
  amountMinor: 100n,
  currency: 'BRL',
  parentId: undefined,
  description: 'rent',
  merchant: undefined,
  to: undefined,
  via: undefined,
  reference: undefined,
  metadata: {},
  ...{ expiresInSeconds: undefined, expiresAt: undefined, keepsRest: false },
};

let dir: string;
let pending: PendingKeys;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'wallet-pending-'));
  pending = openPendingKeys(dir, () => 1_000);
});

const claim = async (of = command, wanted?: string) => {
  const claimed = await pending.claim(of, wanted);
  return claimed.ok ? claimed.value : undefined;
};
const add = async (added = key) => {
  const done = await pending.add(command, added);
  return done.ok ? done.value : undefined;
};

afterEach(() => rm(dir, { recursive: true, force: true }));

describe('canonical commands', () => {
  test('commands that differ in any field have different hashes', () => {
    const others: Partial<CanonicalCommand>[] = [
      { profile: 'prod' },
      { server: '127.0.0.1:50052' },
      { actor: 'b' },
      { user: '' },
      { operation: 'deposit' },
      { amountMinor: 101n },
      { amountMinor: undefined },
      { currency: 'EUR' },
      { parentId: key },
      { description: '' },
      { description: undefined },
      { merchant: 'rent', description: undefined },
      { to: key },
      { via: 'bank' },
      { reference: 'bank' },
      { metadata: { reference: 'bank' } },
      { metadata: { a: '1', b: '2' } },
      { expiresInSeconds: 604_800 },
      { expiresAt: new Date(604_800_000) },
      { keepsRest: true },
    ];
    const hashes = [command, ...others.map((other) => ({ ...command, ...other }))].map(hashCommand);
    expect(new Set(hashes).size).toBe(hashes.length);
    expect(hashCommand({ ...command })).toBe(hashes[0]);
    const [one, other] = [
      { a: '1', b: '2' },
      { b: '2', a: '1' },
    ].map((metadata) => hashCommand({ ...command, metadata }));
    expect(one).toBe(other);
  });

  test('a command without the newer fields has the hash that older versions give it', () => {
    expect(hashCommand(command)).toBe(
      'f08dece09e5a48f57923f1d7a0744a37c66357dedcc2a49a3591b0461e2eb3cb',
    );
  });
});

describe('pending keys', () => {
  test('a kept pending key is taken over once, by the same command only', async () => {
    const added = await add();
    expect(added?.isTakenOver).toBe(false);
    await added?.keep();
    expect(await claim({ ...command, amountMinor: 1n })).toBeUndefined();
    const claims = await Promise.all([1, 2, 3].map(() => claim()));
    const taken = claims.filter((claim) => claim !== undefined);
    expect(taken).toMatchObject([{ key, createdAtMs: 1_000, isTakenOver: true }]);
    await taken[0]?.forget();
    expect(await claim()).toBeUndefined();
    expect(await readdir(dir)).toEqual([]);
  });

  test('a pending key can be taken over by its name', async () => {
    const other = 'c4013d1d-f8a6-54ce-835e-4d4f030245d6';
    for (const one of [key, other]) await (await add(one))?.keep();
    expect(await claim(command, 'd4013d1d-f8a6-54ce-835e-4d4f030245d6')).toBeUndefined();
    expect(await claim(command, other)).toMatchObject({ key: other, isTakenOver: true });
  });

  test('a pending key of a live process is not taken over', async () => {
    await add();
    expect(await claim()).toBeUndefined();
  });

  test('a pending key of a dead process is taken over', async () => {
    await add();
    const folder = join(dir, hashCommand(command));
    const [name = ''] = await readdir(folder);
    const { pid } = spawnSync('true');
    const host = Buffer.from(hostname()).toString('hex');
    await rename(join(folder, name), join(folder, `${key}.${pid}.1.${host}.run`));
    expect(await claim()).toMatchObject({ key, isTakenOver: true });
  });

  test('a pending key is stored with the operation of its command only', async () => {
    await add();
    const folder = join(dir, hashCommand(command));
    const [name = ''] = await readdir(folder);
    const text = await readFile(join(folder, name), 'utf8');
    expect(JSON.parse(text)).toEqual({ operation: 'withdraw', createdAtMs: 1_000 });
  });
});
