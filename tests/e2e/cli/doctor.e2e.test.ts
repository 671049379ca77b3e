import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { runWallet } from '../../../scripts/product.ts';
import { startRabbitMq, type RabbitMq } from '../../support/broker/rabbitmq.ts';
import { waitFor } from '../../support/processes/process.ts';
import { createWorld, type Person, type World } from '../../support/processes/world.ts';

type Line = { readonly check: string; readonly state: string; readonly fix?: string };
type Report = { readonly items: readonly Line[]; readonly state: string };

let world: World;
let rabbit: RabbitMq;
let ops: Person;
let ana: Person;

beforeAll(async () => {
  rabbit = await startRabbitMq();
  world = await createWorld();
  await world.start({ RABBITMQ_URL: rabbit.url(await rabbit.createVhost()) });
  ops = await world.staff('ops', 'operator');
  ana = await world.customer('ana');
});
afterAll(async () => {
  await world.dispose();
  await rabbit.dispose();
});

async function diagnose(person: Person) {
  const { code, stdout } = await person.run(['doctor', '--json', '--quiet']);
  const report = JSON.parse(stdout) as Report;
  const stateOf = (check: string) => report.items.find((line) => line.check === check)?.state;
  return { code, ...report, stateOf };
}

describe('wallet doctor with a daemon and RabbitMQ', () => {
  it('staff see that messages flow; customers see the server, and no broker', async () => {
    await waitFor('the broker', async () => (await diagnose(ops)).stateOf('broker') === 'ok');
    const deposit = ['deposit', '10', '--user', ana.id, '--yes', '--json'];
    expect((await ops.run(deposit)).code).toBe(0);
    const staff = await diagnose(ops);
    expect({ code: staff.code, items: staff.items }).toMatchObject({ code: 0 });
    for (const check of ['clock', 'versions', 'wallet schema', 'wallet outbox', 'projection']) {
      expect(staff.stateOf(check), check).toBe('ok');
    }
    const customer = await diagnose(ana);
    expect(customer).toMatchObject({ code: 0, state: 'ok' });
    expect(customer.stateOf('statement schema')).toBe('ok');
    const checks = customer.items.map(({ check }) => check);
    expect(checks.filter((check) => /broker|outbox|letters|projection/.test(check))).toEqual([]);
  });

  it('a broker that was stopped is a problem with its fix, and exit code 1', async () => {
    await rabbit.stopApp();
    await waitFor('the trouble', async () => (await diagnose(ops)).stateOf('broker') === 'problem');
    const { code, items } = await diagnose(ops);
    expect(code).toBe(1);
    expect(items.find(({ check }) => check === 'broker')?.fix).toContain('RABBITMQ_URL');
    expect(await diagnose(ana)).toMatchObject({ code: 0, state: 'ok' });
  });

  it('doctor works without HOME and without a session', async () => {
    const env = { PATH: process.env['PATH'] ?? '', WALLET_SERVER: world.daemon().address };
    const { stdout, stderr } = await runWallet(['doctor', '--json'], { env });
    const { items } = JSON.parse(stdout) as Report;
    expect(items.find(({ check }) => check === 'grpc')?.state).toBe('ok');
    expect(items.find(({ check }) => check === 'session')?.state).toBe('skipped');
    expect(stderr).toBe('');
  });
});
