import { connect, type ClientHttp2Session } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import { AuthServiceService } from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import {
  Operation,
  WalletServiceService,
} from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { item } from '../support/grpc/client.ts';
import { password } from '../support/processes/world.ts';
import type { Attack } from './attack.ts';
import { callOnce, messageOf, readMessage } from './plain-call.ts';

const accounts = 8;
const streamsPerAccount = 32;
/** Of the first account's, streams that tried one deposit and then do nothing. */
const dryRuns = 4;

const { signIn } = AuthServiceService;
const { streamTransactions } = WalletServiceService;

/** Idle streams of eight accounts, opened again as soon as they are ended. */
export async function fillStreams(attack: Attack): Promise<void> {
  const { isOver } = attack;
  await Promise.all(
    Array.from({ length: accounts }, async (_, n) => {
      const session = openSession(attack, n);
      const token = await findToken(session, `attacker${n}@example.com`);
      const all = Array.from({ length: streamsPerAccount }, async (_stream, place) => {
        while (!isOver()) {
          await holdStream(attack, session, token, n === 0 && place < dryRuns);
          await sleep(100);
        }
      });
      await Promise.all(all);
    }),
  );
}

function openSession({ host, port, from }: Attack, n: number): ClientHttp2Session {
  const localAddress = from[n % from.length] ?? '';
  const session = connect(`http://[${host}]:${port}`, {
    createConnection: () => connectTcp({ host, port, localAddress }),
  });
  session.on('error', () => undefined);
  return session;
}

async function findToken(session: ClientHttp2Session, email: string): Promise<string> {
  const request = { email, password, client: 'attacker', deviceToken: '' };
  const message = messageOf(signIn.requestSerialize(request));
  const answer = await callOnce(session, signIn.path, message);
  if (answer.status !== 0) throw new Error(`sign-in: status ${answer.status ?? 'none'}`);
  return signIn.responseDeserialize(readMessage(answer.body)).tokens?.accessToken ?? '';
}

/** Resolves once the stream has ended, or the time is up. */
function holdStream(
  { isOver, counts }: Attack,
  session: ClientHttp2Session,
  token: string,
  isDryRun: boolean,
): Promise<void> {
  const count = (what: string): void => void counts.set(what, (counts.get(what) ?? 0) + 1);
  if (session.closed || session.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': streamTransactions.path,
      'content-type': 'application/grpc',
      te: 'trailers',
      authorization: `Bearer ${token}`,
    });
    count('opened');
    const looking = setInterval(() => isOver() && stream.close(), 500);
    stream.on('error', () => undefined);
    stream.on('response', (headers) => {
      if (headers['grpc-status'] !== undefined) count(`status ${String(headers['grpc-status'])}`);
    });
    stream.resume();
    stream.on('close', () => {
      clearInterval(looking);
      count('ended');
      resolve();
    });
    if (isDryRun) {
      const deposit = item({ operation: Operation.DEPOSIT, amountMinor: 100n, currency: 'BRL' });
      const request = { items: [deposit], dryRun: true };
      stream.write(messageOf(streamTransactions.requestSerialize(request)));
    }
  });
}
