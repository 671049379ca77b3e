import { setTimeout as sleep } from 'node:timers/promises';

import { expect, it } from 'vitest';

import { connectRaw, readAnswer } from '../../../../tests/support/grpc/raw-http2.ts';
import { startTestServer } from '../test-support.ts';

const ana = { headers: { authorization: 'User ana' } };
const asked = { ...ana, messages: [Buffer.from([3])] };

it.each([true, false])(
  'a call that commits is refused for unread answers before it, never after; fast path: %s',
  async (isFastPathOn) => {
    const { address, answerWaiting, stop } = await startTestServer({}, [], { isFastPathOn });
    const raw = connectRaw(address, { initialWindowSize: 0 });
    try {
      // 21 MiB of answers at once, where 16 MiB may lie unread.
      const streams = Array.from({ length: 7 }, () => raw.open('/test.Test/lateWrite', asked));
      const begun = streams.map((stream) => new Promise((done) => stream.once('response', done)));
      await sleep(300);
      answerWaiting();
      await Promise.all(begun);
      const refused = await raw.call('/test.Test/lateWrite', asked);
      expect(refused).toMatchObject({ status: 8, info: { reason: 'OVERLOADED' } });

      const taken = streams.map(readAnswer);
      await new Promise<void>((resolve) =>
        raw.session.settings({ initialWindowSize: 1 << 24 }, () => resolve()),
      );
      raw.session.setLocalWindowSize(1 << 26);
      // The status of an answer with a message is in its trailers.
      expect((await Promise.all(taken)).map(({ status }) => status)).toEqual(Array(7).fill(0));
      const next = raw.call('/test.Test/lateWrite', asked);
      await sleep(300);
      answerWaiting();
      expect(await next).toMatchObject({ status: 0 });
    } finally {
      raw.close();
      await stop();
    }
  },
);
