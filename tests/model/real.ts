import { randomBytes } from 'node:crypto';

import { AuthServiceService } from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { createClockSite, type ClockSite } from '../clocks/site.ts';
import { signUp } from '../support/broker/producer.ts';
import type { Connection } from '../support/grpc/client.ts';
import { expectCode, password } from '../support/processes/world.ts';
import { walletOf, type Wallet } from '../support/ledger/wallet-model.ts';
import type { Caller, Place } from './model.ts';

/** A customer who is signed in, with the wallet of this run. */
type Customer = {
  readonly id: string;
  readonly email: string;
  readonly wallet: Wallet;
  token: string;
};

/** A member of staff who is signed in. */
type Operator = { readonly id: string; readonly token: string };

/** The same question again must get the same answer. */
type Report = {
  readonly what: string;
  readonly text: string;
  ask(): Promise<string>;
};

/** The daemon of a run, and what the run has had from it. */
export type Real = {
  readonly site: ClockSite;
  readonly reports: Report[];
  connection(): Connection;
  customer(place: Place): Customer;
  readonly operator: Operator;
  /** In good order, or by kill -9. */
  restart(isKilled: boolean): Promise<void>;
};

/** With what this caller's requests are sent. */
export const tokenOf = (real: Real, caller: Caller): string =>
  caller === 'staff' ? real.operator.token : real.customer(caller).token;

/** Wallets of every run are new: each user has one in each currency. */
export type RealSource = {
  create(): Promise<Real>;
  readonly site: ClockSite;
  dispose(): Promise<void>;
};

/** With two, no and three decimals. */
const currencies = [
  ...([
    ['BRL', 2],
    ['USD', 2],
    ['EUR', 2],
    ['JPY', 0],
    ['KWD', 3],
    ['GBP', 2],
  ] as const),
  ...([
    ['CHF', 2],
    ['SEK', 2],
    ['KRW', 0],
    ['TND', 3],
    ['MXN', 2],
    ['AUD', 2],
  ] as const),
] as const;

export async function createRealSource(): Promise<RealSource> {
  const site = await createClockSite();
  let connection = await site.start();
  const operator = await createOperator(site);
  let users: readonly Omit<Customer, 'wallet'>[] = [];
  let used = 0;

  const signUpUsers = async (): Promise<void> => {
    const pair = [0, 1].map(async () => {
      const name = `model-${randomBytes(6).toString('hex')}`;
      return { ...(await signUp(site.daemon().address, name)), email: `${name}@example.com` };
    });
    users = await Promise.all(pair);
  };
  const restart = async (isKilled: boolean): Promise<void> => {
    if (isKilled) {
      site.daemon().kill('SIGKILL');
      await site.daemon().exited;
    }
    connection = await site.start();
  };
  return {
    site,
    create: async () => {
      const place = used % currencies.length;
      if (place === 0) await signUpUsers();
      used += 1;
      const [currency, exponent] = currencies[place] ?? ['BRL', 2];
      const customers = await Promise.all(
        users.map(async ({ id, email }): Promise<Customer> => {
          const wallet = walletOf(id, currency, exponent);
          return { id, email, wallet, token: await signIn(connection, email) };
        }),
      );
      const token = await signIn(connection, operator.email);
      return {
        ...{ site, reports: [], restart, operator: { id: operator.id, token } },
        connection: () => connection,
        customer: (of) => {
          const customer = customers[of];
          if (!customer) throw new Error('a run has two customers');
          return customer;
        },
      };
    },
    dispose: () => site.dispose(),
  };
}

export async function signIn(connection: Connection, email: string): Promise<string> {
  const request = { email, password, client: '', deviceToken: '' };
  const answer = await connection.call(AuthServiceService.signIn, request);
  if (!answer.ok) throw new Error(`sign-in was refused with ${answer.reason}`);
  return answer.value.tokens?.accessToken ?? '';
}

/** Made on the host. */
async function createOperator(site: ClockSite) {
  const email = 'model-operator@example.com';
  const args = ['users', 'create', '--email', email, '--role', 'operator'];
  const made = await site.walletd(args, password);
  expectCode(made, 0);
  // "created operator EMAIL (ID)"
  const [, id = ''] = /\(([0-9a-f-]{36})\)/.exec(made.stdout) ?? [];
  return { id, email };
}
