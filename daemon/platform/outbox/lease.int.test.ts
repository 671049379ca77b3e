import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { createTransport, type Answer } from '../../../tests/support/grpc/transport.ts';
import { createDb } from '../db/db.ts';
import { createLog } from '../log.ts';
import { createRelayWorld, until, type RelayWorld } from './test-support.ts';

const log = createLog('silent');
let world: RelayWorld;
beforeEach(async () => {
  world = await createRelayWorld();
});
afterEach(() => world.dispose());

it('a relay lease from a clock that was a day ahead does not delay the relay', async () => {
  await world.database.query(`INSERT INTO relay_leases (name, holder, fencing_token, expires_at)
    VALUES ('outbox', gen_random_uuid(), 7, clock_timestamp() + interval '1 day')`);
  await world.append('a');
  world.startRelay(createTransport());
  await world.untilEmpty();
  const [lease] = await world.database.query<{ fencing_token: string; is_sound: boolean }>(`SELECT
    fencing_token, expires_at < clock_timestamp() + interval '5 seconds' AS is_sound
    FROM relay_leases`);
  expect(lease).toEqual({ fencing_token: '8', is_sound: true });
});

describe('two relays on one database', () => {
  it('of two relays on one database only one sends at a time', async () => {
    let active = 0;
    const most: number[] = [];
    const answer: Answer = async () => {
      most.push((active += 1));
      await sleep(20);
      active -= 1;
      return [];
    };
    const transports = [createTransport(answer), createTransport(answer)];
    transports.forEach((transport) => world.startRelay(transport));
    const ids = Array.from({ length: 40 }, (_, i) => `m${i}`);
    for (const id of ids) {
      await world.append(id);
      world.relays.forEach((relay) => relay.wake());
    }
    await world.untilEmpty();
    expect(Math.max(...most)).toBe(1);
    expect(transports.map((transport) => transport.sent.length).sort()).toEqual([0, 40]);
    expect(transports.flatMap((transport) => transport.sent)).toEqual(ids);
  });

  it('a relay that stops hands over at once', async () => {
    const [first, second] = [createTransport(), createTransport()];
    const relay = world.startRelay(first);
    await world.append('a');
    await world.untilEmpty();
    await relay.stop();
    world.startRelay(second);
    await world.append('b');
    await until(() => expect(second.sent).toEqual(['b']), 1_500);
    expect(first.sent).toEqual(['a']);
  });

  it('the other relay takes over from a dead one once its lease of 4 s has expired', async () => {
    const dying = createDb({ url: world.database.url, name: 'dying', maxConnections: 2, log });
    const first = createTransport();
    const dead = world.startRelay(first, dying);
    await world.append('a');
    await world.untilEmpty();
    await dying.close();
    const [lease] = await world.database.query(`SELECT fencing_token,
      expires_at <= clock_timestamp() + interval '4 seconds' AS is_short FROM relay_leases`);
    expect(lease).toEqual({ fencing_token: '1', is_short: true });
    const second = createTransport();
    world.startRelay(second);
    await world.append('b');
    await until(() => expect(second.sent).toEqual(['b']));
    expect(await world.database.query('SELECT fencing_token FROM relay_leases')).toEqual([
      { fencing_token: '2' },
    ]);
    expect(first.sent).toEqual(['a']);
    await dead.stop();
  });

  it('a relay renews its lease during a long publish, and no other takes over', async () => {
    await world.append('a');
    const first = createTransport(async () => {
      await sleep(5_000);
      return [];
    });
    world.startRelay(first);
    await until(() => expect(first.calls).toHaveLength(1));
    const second = createTransport();
    world.startRelay(second);
    await world.untilEmpty();
    expect(second.calls).toEqual([]);
    expect(first.sent).toEqual(['a']);
  });

  it('a relay that lost its lease while it published deletes and changes nothing', async () => {
    await world.append('a', 'b');
    await world.append('c');
    let returns: () => void = () => undefined;
    const transport = createTransport(async (messages) => {
      await new Promise<void>((resolve) => (returns = resolve));
      return messages.slice(0, 1);
    });
    const relay = world.startRelay(transport);
    await until(() => expect(transport.calls).toHaveLength(1));
    await world.database.query(
      "UPDATE relay_leases SET holder = $1, fencing_token = fencing_token + 1, expires_at = now() + interval '3900 ms'",
      [randomUUID()],
    );
    returns();
    await sleep(100);
    expect(await world.readOutbox()).toEqual([['a', 'b'], ['c']]);
    transport.answer = () => Promise.resolve([]);
    await sleep(400);
    expect(await world.readOutbox()).toEqual([['a', 'b'], ['c']]);
    // It sends no more either, once it has seen that another holds the lease.
    expect(transport.calls.length).toBeLessThanOrEqual(2);
    returns();
    await relay.stop();
  });
});
