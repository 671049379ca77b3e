import { afterAll, beforeAll, expect, it } from 'vitest';

import { parseCheckpoint, verifyCheckpoint } from '../../../core/checkpoint.ts';
import type { Checkpoint } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { createCheckpointLedger, type CheckpointLedger } from '../checkpoints/test-support.ts';
import type { StoredCheckpoint } from '../checkpoints/store.ts';
import { listSignedCheckpoints } from './checkpoints.ts';

let ledger: CheckpointLedger;
const taken: StoredCheckpoint[] = [];

beforeAll(async () => {
  ledger = await createCheckpointLedger();
  for (let i = 0; i < 5; i += 1) {
    taken.push(await ledger.take());
    await ledger.deposit(ledger.users[0]!);
  }
});
afterAll(() => ledger.test.drop());

const list = (pageSize: number, pageToken = '') =>
  listSignedCheckpoints(ledger.test.db, { pageSize, pageToken });

async function page(pageSize: number, pageToken = '') {
  const listed = await list(pageSize, pageToken);
  if (!listed.ok) throw new Error(listed.rejection.message);
  return listed.value;
}

it('checkpoints are listed with what was signed, the newest first, in pages', async () => {
  const found: Checkpoint[] = [];
  let pageToken = '';
  const sizes: number[] = [];
  do {
    const { checkpoints, nextPageToken } = await page(2, pageToken);
    found.push(...checkpoints);
    sizes.push(checkpoints.length);
    pageToken = nextPageToken;
  } while (pageToken !== '');
  expect(sizes).toEqual([2, 2, 1]);
  expect(found).toEqual(
    taken.toReversed().map(({ number, takenAtMs, size, root, keyId, text, signature }) => ({
      ...{ number, takenAt: new Date(takenAtMs), wallets: size, root, keyId, text, signature },
      transactions: 14n + number,
    })),
  );
  for (const { text, signature, root } of found) {
    expect(verifyCheckpoint(text, signature, ledger.signer.publicKey)).toBe(true);
    expect(parseCheckpoint(text)?.root).toBe(Buffer.from(root).toString('hex'));
  }
});

it('a page has the default size where none is asked for, and ends where there are no more', async () => {
  expect(await page(0)).toMatchObject({ nextPageToken: '' });
  expect((await page(1_000_000)).checkpoints).toHaveLength(5);
});

it('a new checkpoint does not move the pages that follow', async () => {
  const first = await page(2);
  await ledger.take();
  const second = await page(2, first.nextPageToken);
  expect(second.checkpoints.map(({ number }) => number)).toEqual([3n, 2n]);
});

it('a negative page size and a token that was made up are refused', async () => {
  expect(await list(-1)).toMatchObject({ ok: false, rejection: { reason: 'INVALID_ARGUMENT' } });
  for (const token of ['x', Buffer.from('[]').toString('base64url'), 'a'.repeat(5_000)]) {
    expect(await list(2, token)).toMatchObject({ rejection: { reason: 'PAGE_TOKEN_INVALID' } });
  }
});
