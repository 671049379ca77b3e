import { expect, it, vi } from 'vitest';

import { connectRaw, readAnswer } from '../../../../tests/support/grpc/raw-http2.ts';
import { startTestServer } from '../test-support.ts';

// The library says once that a call is over, and may begin its handler afterwards.

const late = { authorization: 'User ana', 'grpc-timeout': '20m' };

it.each(['pour', 'stream', 'talk', 'wait'])(
  'a call whose request ends after its deadline does not stay open: %s',
  async (method) => {
    const { address, server, stop } = await startTestServer({}, [], { isFastPathOn: false });
    const raw = connectRaw(address);
    try {
      for (let i = 0; i < 20; i += 1) {
        const messages = [Buffer.from('p')];
        const options = { headers: late, messages, staysOpen: true };
        const call = raw.open(`/test.Test/${method}`, options);
        await new Promise((resolve) => call.once('response', resolve));
        const answer = readAnswer(call);
        call.end();
        await answer;
      }
      await vi.waitFor(() => expect(server.readCounts()).toMatchObject({ calls: 0, streams: 0 }), {
        timeout: 3_000,
      });
    } finally {
      raw.close();
      await stop();
    }
  },
);
