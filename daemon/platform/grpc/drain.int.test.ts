import { setTimeout as sleep } from 'node:timers/promises';

import { afterEach, describe, expect, it, vi } from 'vitest';

import { connectRaw, readAnswer, type RawClient } from '../../../tests/support/grpc/raw-http2.ts';
import { startTestServer, type TestServer } from './test-support.ts';
import { loadLimits } from './admission/load-limits.ts';

const releases: (() => unknown)[] = [];
afterEach(async () => {
  for (const release of releases.splice(0).reverse()) await release();
});

async function start(isFastPathOn: boolean): Promise<{ stand: TestServer; raw: RawClient }> {
  const stand = await startTestServer({}, [], { isFastPathOn });
  releases.push(stand.stop);
  const raw = connectRaw(stand.address);
  releases.push(() => raw.close());
  // The connection stands.
  expect(await raw.call('/test.Test/source', ana)).toMatchObject({ status: 0 });
  return { stand, raw };
}

const message = (text: string): Buffer => Buffer.from(text);
/** As it stands on the wire. */
const frame = (text: string): Buffer =>
  Buffer.concat([Buffer.from([0, 0, 0, 0, text.length]), message(text)]);
const ana = { headers: { authorization: 'User ana' }, messages: [message('?')] };
const talk = (raw: RawClient, texts: readonly string[], staysOpen = true) =>
  raw.open('/test.Test/talk', { headers: ana.headers, messages: texts.map(message), staysOpen });

describe.each([true, false])('a stop, with the fast path %s', (isFastPathOn) => {
  it('a stopping server still serves calls and new connections at first', async () => {
    const { stand, raw } = await start(isFastPathOn);
    const stopped = stand.server.stop(8_000);
    await sleep(100);
    const answers = await Promise.all([
      raw.call('/test.Test/source', ana),
      readAnswer(talk(raw, ['a', 'b'], false)),
      connectRaw(stand.address).call('/test.Test/source', ana),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([0, 0, 0]);
    await stopped;
  });

  it('a stop reports which calls were not started, so that clients retry them', async () => {
    const { stand, raw } = await start(isFastPathOn);
    const held = raw.call('/test.Test/wait', ana);
    await sleep(500);
    const lastOne = new Promise<number>((resolve) => {
      raw.session.once('goaway', (_code: number, last: number) => resolve(last));
    });
    const stopped = stand.server.stop(5_000);
    // The first call of the connection was 1, and the one that waits is 3.
    expect(await lastOne).toBe(3);
    stand.answerWaiting();
    expect(await held).toMatchObject({ status: 0 });
    await stopped;
  });

  it('a stop finishes calls in flight, and the stream messages that have arrived', async () => {
    const { stand, raw } = await start(isFastPathOn);
    const held = raw.call('/test.Test/wait', ana);
    const stream = talk(raw, ['w', 'a', 'b']);
    const talked = readAnswer(stream);
    await sleep(400);
    const stopped = stand.server.stop(5_000);
    await sleep(300);
    stand.answerWaiting();
    expect(await held).toMatchObject({ status: 0 });
    const { status, info, body } = await talked;
    expect({ status, reason: info?.reason }).toEqual({ status: 14, reason: 'SHUTTING_DOWN' });
    expect(body).toEqual(Buffer.concat([frame('w'), frame('a'), frame('b')]));
    await stopped;
  });

  it('a stop answers stream messages in flight, then ends the stream with a reason', async () => {
    const { stand, raw } = await start(isFastPathOn);
    const { headers } = ana;
    const messages = ['a', 'b', 'c'].map(message);
    const stream = raw.open('/test.Test/talkAhead', { headers, messages, staysOpen: true });
    const talked = readAnswer(stream);
    await sleep(400);
    const stopped = stand.server.stop(5_000);
    await sleep(300);
    stand.answerWaiting();
    const { status, info, body } = await talked;
    expect({ status, reason: info?.reason }).toEqual({ status: 14, reason: 'SHUTTING_DOWN' });
    expect(body).toEqual(Buffer.concat(['a', 'b', 'c'].map(frame)));
    await stopped;
  });

  it('a stop ends an idle stream at once, beside a call that continues', async () => {
    const { stand, raw } = await start(isFastPathOn);
    const held = raw.call('/test.Test/wait', ana);
    const idle = readAnswer(talk(raw, ['a']));
    await sleep(400);
    const stopped = stand.server.stop(5_000);
    expect(await idle).toMatchObject({ status: 14, info: { reason: 'SHUTTING_DOWN' } });
    stand.answerWaiting();
    expect(await held).toMatchObject({ status: 0 });
    await stopped;
  });

  it('a stop reports an unknown outcome for calls that are not finished in time', async () => {
    const { stand, raw } = await start(isFastPathOn);
    const held = raw.call('/test.Test/wait', ana);
    const stuck = readAnswer(talk(raw, ['w']));
    const answers = raw.open('/test.Test/pour', ana);
    const poured = readAnswer(answers);
    await sleep(200);
    await stand.server.stop(1_500);
    for (const answer of [await held, await stuck]) {
      expect(answer).toMatchObject({ status: 2, info: { reason: 'OUTCOME_UNKNOWN' } });
    }
    expect(await poured).toMatchObject({ status: 14, info: { reason: 'SHUTTING_DOWN' } });
  });

  it('a stop sends delayed refusals at once', async () => {
    const refusedCredentials = { perSecond: 0.001, burst: 1, maxWaitMs: 60_000, networks: 10 };
    const load = { ...loadLimits, refusedCredentials };
    const stand = await startTestServer({ load }, [], { isFastPathOn });
    releases.push(stand.stop);
    const raw = connectRaw(stand.address);
    releases.push(() => raw.close());
    const unknown = { ...ana, headers: { authorization: 'Bearer unknown' } };
    expect(await raw.call('/test.Test/source', unknown)).toMatchObject({ status: 16 });
    const late = raw.call('/test.Test/source', unknown);
    const countWaiting = (): number => stand.server.readCounts().unauthenticated;
    await vi.waitFor(() => expect(countWaiting()).toBe(1), 20_000);
    await stand.server.stop(5_000);
    expect(await late).toMatchObject({ status: 16 });
  });
});
