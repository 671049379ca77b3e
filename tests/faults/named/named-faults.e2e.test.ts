import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';

import { findFaults, queryService, waitUntil } from '../../support/ledger/ledger.ts';
import { createNamedStage, type NamedStage, type Seen } from './stage.ts';
import { withClient } from '../../support/postgres/client.ts';

let stage: NamedStage;
/** Before each test. */
let balanceBefore: bigint;

beforeAll(async () => {
  stage = await createNamedStage();
}, 180_000);
afterAll(() => stage.dispose());
beforeEach(async () => {
  balanceBefore = await stage.balance();
});

const listAnswers = (seen: readonly Seen[]): string[] => [
  ...new Set(seen.map(({ answer }) => answer)),
];

/** Each key has one effect, whatever its client saw at first. */
async function expectOneEffectEach(seen: readonly Seen[]): Promise<void> {
  const answers = await stage.settle(seen);
  expect(answers.filter((answer) => answer !== 'done' && answer !== 'replayed')).toEqual([]);
  const answered = seen.filter(({ answer }) => answer === 'done').map(({ key }) => key);
  const again = seen.flatMap(({ key }, i) => (answers[i] === 'done' ? [key] : []));
  expect(again.filter((key) => answered.includes(key))).toEqual([]);
  expect(await stage.balance()).toBe(balanceBefore + BigInt(seen.length) * 100n);
  const lines = async (): Promise<boolean> => (await findFaults(stage.site.dataDir)).length === 0;
  await waitUntil('ledger and lines agree', lines, 60_000);
}

const alter = (...texts: readonly string[]): Promise<void> =>
  withClient(stage.site.adminUrl, async (client) => {
    for (const text of texts) await client.query(text);
  });

/** What a client saw who deposits during this. */
async function during(work: () => Promise<unknown>): Promise<readonly Seen[]> {
  let isOver = false;
  const depositing = stage.depositUntil(() => isOver);
  await work();
  isOver = true;
  return depositing;
}

it('full disk: DATABASE_UNAVAILABLE while there is no room, and all is done once there is', async () => {
  const { disk, postgres } = stage.site;
  // Only who may mount can make a small disk; CI and containers run as root.
  if (!disk) throw new Error('this test needs the right to mount a tmpfs');
  const seen = await during(async () => {
    const endsAtMs = performance.now() + 9_000;
    while (performance.now() < endsAtMs) {
      await disk.fill();
      // What is left of the log's last segment would do for all of this test.
      await alter('SELECT pg_switch_wal()').catch(() => undefined);
      await sleep(100);
    }
    disk.empty();
    await postgres.start();
    await sleep(1_000);
  });
  const refusals = listAnswers(seen).filter((answer) => answer !== 'done');
  expect(refusals.length).toBeGreaterThan(0);
  expect(refusals.filter((answer) => !isOfDatabase(answer))).toEqual([]);
  await expectOneEffectEach(seen);
});

/** What a client may see of a database that fails: nothing was done, or it is unknown. */
const isOfDatabase = (answer: string): boolean =>
  ['DATABASE_UNAVAILABLE', 'DATABASE_BUSY', 'OUTCOME_UNKNOWN', 'AUTH_UNAVAILABLE'].includes(answer);

it('frozen Postgres: the deadline of the call ends the wait, and a retry has the answer', async () => {
  const { postgres } = stage.site;
  postgres.freeze();
  const seen = [
    await stage.deposit({ timeoutMs: 3_000 }),
    await stage.deposit({ timeoutMs: 3_000 }),
  ];
  postgres.thaw();
  const isHonest = (answer: string): boolean =>
    isOfDatabase(answer) || answer === 'DEADLINE_EXCEEDED' || answer.startsWith('code 4');
  expect(seen.map(({ answer }) => answer).filter((answer) => !isHonest(answer))).toEqual([]);
  await expectOneEffectEach(seen);
});

it('killed Postgres: refusals until it runs again, and no daemon has to be started', async () => {
  const { postgres } = stage.site;
  const seen = await during(async () => {
    await postgres.kill();
    // A call waits for its database for 5 s.
    await sleep(7_000);
    await postgres.start();
    await sleep(1_000);
  });
  const refusals = listAnswers(seen).filter((answer) => answer !== 'done');
  expect(refusals.length).toBeGreaterThan(0);
  expect(refusals.filter((answer) => !isOfDatabase(answer))).toEqual([]);
  await expectOneEffectEach(seen);
});

it.each([
  ['answer of COMMIT cut off', false],
  ['COMMIT lost before the server has it', true],
])('%s: the call is answered all the same, with one effect', async (_what, isLost) => {
  const [{ proxy }] = stage.site.nodes;
  const cutsBefore = proxy.cuts;
  const seen: Seen[] = [];
  for (let i = 0; i < 6; i += 1) {
    proxy.cutCommits(1, isLost);
    seen.push(await stage.deposit());
  }
  proxy.cutCommits(0);
  expect(proxy.cuts - cutsBefore).toBeGreaterThan(3);
  const others = listAnswers(seen).filter((answer) => answer !== 'done' && answer !== 'replayed');
  expect(others.filter((answer) => !isOfDatabase(answer))).toEqual([]);
  await expectOneEffectEach(seen);
});

it('read-only server: DATABASE_UNAVAILABLE, balances are read, and writes go on with the server', async () => {
  const set = (value: string): Promise<void> =>
    alter(
      'SET default_transaction_read_only = off',
      `ALTER SYSTEM SET default_transaction_read_only = ${value}`,
      'SELECT pg_reload_conf()',
    );
  await set('on');
  const [row] = await queryService<{ setting: string }>(
    stage.site.dataDir,
    'wallet',
    "SELECT setting FROM pg_settings WHERE name = 'default_transaction_read_only'",
  );
  expect(row?.setting).toBe('on');
  // The first one may be committed yet: a session sees the setting once it is idle.
  const seen = [await stage.deposit(), await stage.deposit()];
  const done = seen.filter(({ answer }) => answer === 'done').length;
  const balance = await stage.balance();
  await set('off');
  expect(seen[1]?.answer).toBe('DATABASE_UNAVAILABLE');
  expect(balance).toBe(balanceBefore + BigInt(done) * 100n);
  await expectOneEffectEach(seen);
});

it('frozen broker: deposits go on, and their lines come once it runs again', async () => {
  const { broker } = stage.site;
  const seen = await during(async () => {
    broker.freeze();
    await sleep(3_000);
    broker.thaw();
  });
  expect(seen.length).toBeGreaterThan(3);
  expect(listAnswers(seen)).toEqual(['done']);
  await expectOneEffectEach(seen);
});

it('memory alarm of the broker: deposits go on, and their lines come behind it', async () => {
  const { broker } = stage.site;
  const seen = await during(async () => {
    await broker.ctl('set_vm_memory_high_watermark', '0');
    await sleep(2_000);
    await broker.ctl('set_vm_memory_high_watermark', '0.6');
  });
  expect(listAnswers(seen)).toEqual(['done']);
  await expectOneEffectEach(seen);
});

it('connections to Postgres cut and refused: refusals meanwhile, and none behind it', async () => {
  const [{ proxy }] = stage.site.nodes;
  const seen = await during(async () => {
    proxy.refuse();
    await sleep(2_000);
    proxy.accept();
    await sleep(1_000);
  });
  const refusals = listAnswers(seen).filter((answer) => answer !== 'done');
  expect(refusals.filter((answer) => !isOfDatabase(answer))).toEqual([]);
  expect(seen.at(-1)?.answer).toBe('done');
  await expectOneEffectEach(seen);
});
