import { afterEach, beforeEach, expect, test } from 'vitest';

import {
  Checkpoint,
  type ListCheckpointsRequest,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import {
  createCli,
  fakeToken,
  startFakeServer,
  type Cli,
  type FakeServer,
} from '../../test-support.ts';

let cli: Cli;
let server: FakeServer;
let stored: Checkpoint[];
let requests: ListCheckpointsRequest[];

const checkpointOf = (number: number): Checkpoint =>
  Checkpoint.fromPartial({
    number: BigInt(number),
    takenAt: new Date(Date.UTC(2026, 10, 28, 0, number)),
    ...{ wallets: 12_345n, transactions: 6_789_012n, root: Buffer.alloc(32, number) },
    ...{ keyId: '0123456789abcdef', text: `number ${number}\n`, signature: 'c2ln' },
  });

beforeEach(async () => {
  stored = Array.from({ length: 130 }, (_, i) => checkpointOf(130 - i));
  requests = [];
  server = await startFakeServer({
    listCheckpoints: (request: ListCheckpointsRequest) => {
      requests.push(request);
      const start = Number(request.pageToken || 0);
      const end = start + Math.min(request.pageSize, 40);
      const nextPageToken = end < stored.length ? String(end) : '';
      return { checkpoints: stored.slice(start, end), nextPageToken };
    },
  });
  cli = await createCli({ WALLET_SERVER: server.address, WALLET_TOKEN: fakeToken(), TZ: 'UTC' });
});
afterEach(async () => {
  server.crash();
  await cli.remove();
});

const run = (...args: string[]) => cli.run(['audit', 'checkpoints', ...args]);

test('checkpoints are listed newest first, up to the limit, with a token for the rest', async () => {
  const ran = await run('--json', '--limit', '50');
  expect(ran).toMatchObject({ exitCode: 0 });
  const { items, nextPageToken } = JSON.parse(ran.out) as {
    items: object[];
    nextPageToken: string;
  };
  expect(items).toHaveLength(50);
  expect(items[0]).toEqual({
    ...{ number: 130, takenAt: '2026-11-28T02:10:00.000Z', wallets: 12_345 },
    ...{ transactions: 6_789_012, root: '82'.repeat(32), keyId: '0123456789abcdef' },
    ...{ text: 'number 130\n', signature: 'c2ln' },
  });
  expect(nextPageToken).toBe('50');
  expect(requests.map(({ pageSize }) => pageSize)).toEqual([50, 10]);
  const rest = await run('--json', '--all', '--page-token', nextPageToken);
  expect((JSON.parse(rest.out) as { items: object[] }).items).toHaveLength(80);
});

test('a table has number, time, size and root of each', async () => {
  const ran = await run('--limit', '2');
  expect(ran).toMatchObject({ exitCode: 0 });
  expect(ran.out).toContain('12,345');
  expect(ran.out).toContain('6,789,012');
  expect(ran.out).toContain('129');
  expect(ran.err).toContain('more items: --all, or --page-token');
});

test('CSV has whole roots', async () => {
  const ran = await run('--limit', '1', '-o', 'csv');
  const [header, row] = ran.out.split('\r\n');
  expect(header).toBe('number,taken_at,wallets,transactions,key_id,root');
  expect(row).toBe(
    `130,2026-11-28T02:10:00.000Z,12345,6789012,0123456789abcdef,${'82'.repeat(32)}`,
  );
});

test('a ledger without checkpoints has an empty list', async () => {
  stored = [];
  const ran = await run('--json');
  expect(ran).toMatchObject({ exitCode: 0 });
  expect(JSON.parse(ran.out)).toEqual({ items: [] });
});
