import { EventEmitter } from 'node:events';

import { expect, it } from 'vitest';

import { createPeerClient, type PeerTls } from './client.ts';

/** Counts its own kind, and answers streams with nothing. */
class Stub {
  static made = 0;
  static closed = 0;
  constructor() {
    Stub.made += 1;
  }
  stream(): object {
    const answers = Object.assign(new EventEmitter(), { cancel: () => undefined });
    return Object.assign(answers, {
      [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve({ done: true }) }),
    });
  }
  close(): void {
    Stub.closed += 1;
  }
}

it('a stream begins with renewed certificates, as a call does', async () => {
  let material: ReturnType<PeerTls['current']> = {
    rootCerts: undefined,
    key: undefined,
    cert: undefined,
  };
  const client = createPeerClient(Stub, () => '127.0.0.1:1', 'secret', { current: () => material });
  const read = async (): Promise<void> => {
    const answers = client.stream((stub) => stub.stream.bind(stub) as never, {});
    for await (const answer of answers) expect(answer).toBeUndefined();
  };
  await read();
  await read();
  expect(Stub.made).toBe(1);
  material = { ...material };
  await read();
  expect(Stub.made).toBe(2);
  client.close();
});
