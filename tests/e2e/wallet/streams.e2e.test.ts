import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { Operation } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { waitUntil } from '../../support/ledger/ledger.ts';
import { openMuteStream, openStream, outcomeOf, sendAll } from '../../support/grpc/stream.ts';
import {
  createStreamWorld,
  deposit,
  times,
  type StreamWorld,
  type User,
} from '../../support/grpc/stream-world.ts';

let at: StreamWorld;
let users: readonly User[];
let staff: string;
const address = () => at.address();

beforeAll(async () => {
  at = await createStreamWorld();
  ({ users, staff } = at);
});

afterAll(() => at.world.dispose());

describe('many streams', () => {
  it('100 concurrent streams are all answered completely', async () => {
    const counted = await at.countEntries();
    const runs = await Promise.all(
      times(100, (s) => {
        const user = users[s % 4]!;
        const messages = times(3, () => times(50, () => deposit(user)));
        return sendAll(address(), user.token, messages);
      }),
    );
    expect(new Set(runs.map(({ end }) => end))).toEqual(new Set(['OK']));
    expect(new Set(runs.flatMap(({ results }) => results.map(outcomeOf)))).toEqual(
      new Set(['done']),
    );
    expect(await at.countEntries()).toBe(counted + 100 * 150);
    expect(await at.findLedgerFaults()).toEqual([]);
  });

  it('one user cannot use all streams: excess ones are refused, others are served', async () => {
    const [ana, bia] = users as [User, User];
    const open = times(40, () => openStream(address(), ana.token));
    for (const stream of open) stream.send([deposit(ana)]);
    const refused = await Promise.race(open.map((stream) => stream.ended));
    expect(refused).toBe('OVERLOADED');
    const other = await sendAll(address(), bia.token, [[deposit(bia)]]);
    expect(other.results.map(outcomeOf)).toEqual(['done']);
    for (const stream of open) {
      stream.cancel();
      stream.close();
    }
    await waitUntil('the streams are given back', async () => {
      const { end } = await sendAll(address(), ana.token, [[deposit(ana)]]);
      return end === 'OK';
    });
  });

  it('a client that never reads gets under half of its items done; others get all', async () => {
    const [ana, bia] = users as [User, User];
    const merchant = 'never read';
    const bought = { operation: Operation.PURCHASE, amountMinor: 1n, merchant };
    // Far more than the windows of HTTP/2 and the buffers on the way hold.
    const messages = times(100, () => times(200, () => deposit(ana, bought)));
    const mute = openMuteStream(address(), ana.token, messages);
    for (let i = 0; i < 20; i += 1) {
      const { results } = await sendAll(address(), bia.token, [[deposit(bia)]]);
      expect(results.map(outcomeOf)).toEqual(['done']);
    }
    const where = `contra_account = 'merchant:${merchant}'`;
    let seen = -1;
    await waitUntil('no more of it is begun', async () => {
      const now = await at.countEntries(where);
      const isSteady = now === seen && now > 0;
      seen = now;
      if (!isSteady) await new Promise((resolve) => setTimeout(resolve, 900));
      return isSteady;
    });
    expect(seen).toBeLessThan(10_000);
    mute.close();
  });

  it('each message of a cancelled stream is done completely or not at all', async () => {
    for (let round = 0; round < 10; round += 1) {
      const stream = openStream(address(), staff);
      for (let m = 0; m < 8; m += 1) stream.send(times(300, (i) => deposit(users[i % 5]!)));
      await stream.waitFor(1 + round * 200);
      stream.cancel();
      await stream.ended;
      stream.close();
    }
    expect(await at.findLedgerFaults()).toEqual([]);
    expect(at.world.daemon().log()).not.toContain('unexpected error');
  });
});

describe('kill -9 during streams', () => {
  it('after kill -9 during streams, repeated items are in the ledger exactly once', async () => {
    const runs = times(4, (s) =>
      times(20, (m) =>
        times(200, (i) =>
          deposit(users[s]!, { idempotencyKey: `kill ${s} ${m} ${i}`, description: 'kill' }),
        ),
      ),
    );
    const streams = runs.map((messages, s) => {
      const stream = openStream(address(), users[s]!.token);
      for (const items of messages) stream.send(items);
      stream.halfClose();
      return stream;
    });
    await Promise.all(streams.map((stream) => stream.waitFor(600)));
    await at.world.kill();
    await Promise.all(streams.map((stream) => stream.ended));
    const answered = streams.map(({ results }) => results.map((r) => outcomeOf(r)));
    streams.forEach((stream) => stream.close());
    expect(answered.flat().length).toBeLessThan(16_000);
    await at.world.start();
    const again = await Promise.all(
      runs.map((messages, s) => sendAll(address(), users[s]!.token, messages)),
    );
    again.forEach(({ results, end }, s) => {
      expect(end).toBe('OK');
      const outcomes = results.map(outcomeOf);
      expect(new Set(outcomes.slice(0, answered[s]?.length))).toEqual(new Set(['replayed']));
      expect(outcomes.filter((o) => o !== 'replayed' && o !== 'done')).toEqual([]);
    });
    expect(await at.countEntries("description = 'kill'")).toBe(16_000);
    expect(await at.findLedgerFaults()).toEqual([]);
  });
});
