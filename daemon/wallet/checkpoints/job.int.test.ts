import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { appendFile, mkdtemp, readFile, rename, rm, symlink, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { buildCommand } from '../../../tests/support/ledger/build-command.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import { createLog } from '../../platform/log.ts';
import { createProgressWatch } from '../../platform/progress/watch.ts';
import { createOptimisticCommit } from '../commit/optimistic-commit.ts';
import { exportCheckpoint } from './export.ts';
import { createCheckpointFile, formatSigned } from './file.ts';
import { createCheckpoints } from './job.ts';
import type { StoredCheckpoint } from './store.ts';
import { takeCheckpoint, type Signer } from './take.ts';

const hourMs = 3_600_000;
const log = createLog('silent');
let test: TestDatabase;
let folder: string;
let path: string;
let signer: Signer;

beforeEach(async () => {
  test = await createTestDatabase('wallet');
  folder = await mkdtemp(join(tmpdir(), 'checkpoints-'));
  path = join(folder, 'checkpoints.txt');
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  signer = { key: privateKey, publicKey };
  await deposit(randomUUID());
});
afterEach(async () => {
  await test.drop();
  await rm(folder, { recursive: true });
});

async function deposit(user: string): Promise<void> {
  await createOptimisticCommit(test.db)([buildCommand(user)]);
}

async function take(): Promise<StoredCheckpoint> {
  const taken = await takeCheckpoint(test.db, signer);
  if (!taken) throw new Error('no checkpoint was taken');
  return taken;
}

const count = async (table: string): Promise<number> =>
  (await test.query(`SELECT 1 FROM ${table}`)).length;
const textOf = (checkpoints: readonly StoredCheckpoint[]): string =>
  checkpoints.map((checkpoint) => `${formatSigned(checkpoint)}\n`).join('');
const readBack = (): Promise<string> => readFile(path, 'utf8');

describe('taking', () => {
  it('a checkpoint that is given up leaves nothing', async () => {
    const giveUp = new AbortController();
    const [outbox, onBlock] = [await count('outbox'), () => giveUp.abort()];
    const options = { signal: giveUp.signal, onBlock };
    expect(await takeCheckpoint(test.db, signer, options)).toBeUndefined();
    for (const table of ['checkpoints', 'checkpoint_leaves', 'checkpoint_keys']) {
      expect(await count(table)).toBe(0);
    }
    expect(await count('outbox')).toBe(outbox);
    expect(await take()).toMatchObject({ number: 1n });
  });

  it('a checkpoint from a clock that was ahead is followed by one, not by one each time', async () => {
    await take();
    await test.query("UPDATE checkpoints SET taken_at = taken_at + interval '1 day'");
    const due = () => takeCheckpoint(test.db, signer, { everyMs: hourMs });
    expect(await due()).toMatchObject({ number: 2n });
    expect(await due()).toBeUndefined();
  });

  it('each block of wallets is progress, so that a large ledger is not reported as stalled', async () => {
    const onBlock = vi.fn();
    await takeCheckpoint(test.db, signer, { onBlock });
    expect(onBlock).toHaveBeenCalledTimes(1);
  });
});

describe('leaves of a long history', () => {
  it('an export has the last leaf of each wallet up to its number, however many there are', async () => {
    await take();
    await test.query(
      `INSERT INTO checkpoint_leaves
       SELECT wallet_id, n, n, sha256(n::text::bytea)
       FROM checkpoint_leaves, generate_series(2, 3000) AS n`,
    );
    const parts = await exportCheckpoint(test.db, 1n);
    let text = '';
    for await (const part of parts!) text += part;
    expect(text.split('\n').filter((line) => /^\S{36} \d+ \S{64}$/.test(line))).toEqual([
      expect.stringMatching(/^\S{36} 1 /),
    ]);
  });
});

describe('the file of checkpoints', () => {
  it('each checkpoint is in the file once, whichever process took it', async () => {
    const file = createCheckpointFile(path);
    const checkpoints = [await take(), await take()];
    await file.follow(test.db);
    await file.follow(test.db);
    expect(await readBack()).toBe(textOf(checkpoints));
    checkpoints.push(await take());
    await file.follow(test.db);
    expect(await readBack()).toBe(textOf(checkpoints));
    // After a restart.
    checkpoints.push(await take());
    await createCheckpointFile(path).follow(test.db);
    expect(await readBack()).toBe(textOf(checkpoints));
  });

  it('a checkpoint whose end a crash cut off is written again', async () => {
    const [first, second] = [await take(), await take()];
    await createCheckpointFile(path).follow(test.db);
    const whole = await readBack();
    for (const lost of [1, 2, 60, 300, textOf([second]).length - 1]) {
      await truncate(path, 0);
      await appendFile(path, whole.slice(0, -lost));
      await createCheckpointFile(path).follow(test.db);
      const text = await readBack();
      expect(text.startsWith(textOf([first]))).toBe(true);
      expect(text.endsWith(`\n\n${textOf([second])}`)).toBe(true);
    }
  });

  it('a file that was moved elsewhere is gone on with in a new one', async () => {
    const file = createCheckpointFile(path);
    await take();
    await file.follow(test.db);
    await rename(path, join(folder, 'old.txt'));
    const second = await take();
    await file.follow(test.db);
    expect(await readBack()).toBe(textOf([second]));
  });

  it('nothing is written through a link, and what fails is written later', async () => {
    const checkpoint = await take();
    const other = join(folder, 'other.txt');
    await appendFile(other, 'of another program\n');
    await symlink(other, path);
    const file = createCheckpointFile(path);
    await expect(file.follow(test.db)).rejects.toThrow('CHECKPOINT_FILE cannot be written (ELOOP)');
    await rm(path);
    await file.follow(test.db);
    expect(await readBack()).toBe(textOf([checkpoint]));
    expect(await readFile(other, 'utf8')).toBe('of another program\n');
  });
});

describe('the job', () => {
  const start = (watch = createProgressWatch({ log, describe: String, stallMs: 50 })) => {
    const file = createCheckpointFile(path);
    const job = createCheckpoints({ db: test.db, signer, everyMs: hourMs, file, log, watch });
    watch.start();
    job.start();
    return { job, watch };
  };

  it('what the job takes is in the file', async () => {
    const { job, watch } = start();
    await vi.waitFor(async () => expect(await readBack()).toContain('signature '), 10_000);
    await job.stop();
    watch.stop();
    expect(await count('checkpoints')).toBe(1);
  });

  it('a file that cannot be written is a stall with a reason, and does not stop checkpoints', async () => {
    await symlink(join(folder, 'elsewhere'), path);
    const { job, watch } = start();
    await vi.waitFor(() => {
      const [part] = watch.read();
      expect(part).toMatchObject({ part: 'wallet.checkpoints', isStalled: true });
      expect(part?.reason).toContain('CHECKPOINT_FILE');
    }, 10_000);
    await job.stop();
    watch.stop();
    expect(await count('checkpoints')).toBe(1);
  });
});
