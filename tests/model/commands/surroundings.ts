import type { AsyncCommand } from 'fast-check';

import { AuthServiceService } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { WalletServiceService } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Model, Place } from '../model.ts';
import { signIn, type Real } from '../real.ts';
import { expectSame } from './expect.ts';

type Command = AsyncCommand<Model, Real>;

const timeoutMs = 15_000;
const always = (): boolean => true;

/** The daemon is stopped, in good order or by kill -9, and starts again. */
export const restart = (isKilled: boolean): Command => ({
  check: always,
  run: (_model, real) => real.restart(isKilled),
  toString: () => (isKilled ? 'kill -9 and start' : 'restart'),
});

/** The clock of the database server or of the daemon is so many seconds ahead of the host's. */
export const stepClock = (whose: 'server' | 'daemon', seconds: number): Command => ({
  check: always,
  run: (_model, { site }) =>
    (whose === 'server' ? site.serverClock : site.daemonClock).step(seconds),
  toString: () => `clock of the ${whose} ${seconds >= 0 ? '+' : ''}${seconds} s`,
});

/** Another session: its token works, and the earlier one still does. */
export const signInAgain = (place: Place): Command => ({
  check: always,
  run: async (_model, real) => {
    const customer = real.customer(place);
    const before = customer.token;
    customer.token = await signIn(real.connection(), customer.email);
    expectSame('a token of a new session', await use(real, place, customer.token), 'accepted');
    expectSame('the token before', await use(real, place, before), 'accepted');
  },
  toString: () => `sign-in of customer ${place}`,
});

/** The session ends: from then on its token is refused. */
export const signOut = (place: Place): Command => ({
  check: always,
  run: async (_model, real) => {
    const customer = real.customer(place);
    const { token, email } = customer;
    const ended = await real.connection().call(AuthServiceService.signOut, {}, token, timeoutMs);
    expectSame('the sign-out', ended.ok, true);
    expectSame('a token after its sign-out', await use(real, place, token), 'TOKEN_REVOKED');
    customer.token = await signIn(real.connection(), email);
  },
  toString: () => `sign-out of customer ${place}`,
});

async function use(real: Real, place: Place, token: string): Promise<string> {
  const { currency } = real.customer(place).wallet;
  const method = WalletServiceService.getBalance;
  const answer = await real.connection().call(method, { userId: '', currency }, token, timeoutMs);
  return answer.ok ? 'accepted' : answer.reason;
}
