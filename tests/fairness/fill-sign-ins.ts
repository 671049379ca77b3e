import { connect, type ClientHttp2Session } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import { AuthServiceService } from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { password } from '../support/processes/world.ts';
import type { Attack } from './attack.ts';
import { callOnce, messageOf, readMessage } from './plain-call.ts';

const inFlight = 280;
const perConnection = 90;

const { path, requestSerialize, responseDeserialize } = AuthServiceService.signIn;

/** One account with a device token that signs in with its right password, 280 times at once. */
export async function fillSignIns({ host, port, from, isOver, counts }: Attack): Promise<void> {
  const sessions = new Map<number, ClientHttp2Session>();
  const sessionOf = (n: number): ClientHttp2Session => {
    const index = Math.floor(n / perConnection);
    const known = sessions.get(index);
    if (known && !known.closed && !known.destroyed) return known;
    const localAddress = from[0] ?? '';
    const session = connect(`http://[${host}]:${port}`, {
      createConnection: () => connectTcp({ host, port, localAddress }),
    });
    session.on('error', () => undefined);
    sessions.set(index, session);
    return session;
  };
  const signIn = async (n: number, deviceToken: string): Promise<string | undefined> => {
    const request = {
      email: 'attacker0@example.com',
      password,
      client: 'attacker',
      deviceToken,
    };
    const answer = await callOnce(sessionOf(n), path, messageOf(requestSerialize(request)));
    const what = answer.status === 0 ? 'signed in' : `status ${answer.status ?? 'none'}`;
    counts.set(what, (counts.get(what) ?? 0) + 1);
    return answer.status === 0
      ? responseDeserialize(readMessage(answer.body)).deviceToken
      : undefined;
  };
  const deviceToken = (await signIn(0, '')) ?? '';
  await Promise.all(
    Array.from({ length: inFlight }, async (_, n) => {
      while (!isOver()) {
        if ((await signIn(n, deviceToken)) === undefined) await sleep(50);
      }
    }),
  );
}
