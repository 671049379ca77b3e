import { AuthServiceService } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import {
  Operation,
  type TransactionItem,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { connect, item } from './client.ts';
import { findFaults, queryService, waitUntil } from '../ledger/ledger.ts';
import { signUp } from '../broker/producer.ts';
import { createWorld, expectCode, password, type World } from '../processes/world.ts';

export type User = { readonly id: string; readonly token: string };

/** A daemon with five customers and an operator, and what tests of streams ask of it. */
export type StreamWorld = {
  readonly world: World;
  readonly users: readonly User[];
  /** An operator's token. */
  readonly staff: string;
  address(): string;
  signIn(email: string): Promise<string>;
  countEntries(where?: string, values?: unknown[]): Promise<number>;
  /** What is wrong once ledger and projection should agree; empty if nothing is. */
  findLedgerFaults(): Promise<string[]>;
};

export const deposit = (user: User, fields: Partial<TransactionItem> = {}): TransactionItem =>
  item({ userId: user.id, operation: Operation.DEPOSIT, amountMinor: 100n, ...fields });

export const withdraw = (user: User, fields: Partial<TransactionItem> = {}): TransactionItem =>
  deposit(user, { operation: Operation.WITHDRAW, ...fields });

export const times = <T>(count: number, make: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i));

export async function createStreamWorld(): Promise<StreamWorld> {
  const world = await createWorld();
  await world.start();
  const address = () => world.daemon().address;
  const signIn = async (email: string): Promise<string> => {
    const client = connect(address());
    const request = { email, password, client: 'test', deviceToken: '' };
    const answer = await client.call(AuthServiceService.signIn, request);
    client.close();
    if (!answer.ok) throw new Error(answer.reason);
    return answer.value.tokens?.accessToken ?? '';
  };
  const users: User[] = [];
  for (const name of ['ana', 'bia', 'caio', 'davi', 'eva']) {
    users.push(await signUp(address(), name));
  }
  const args = ['users', 'create', '--email', 'olga@example.com', '--role', 'operator'];
  expectCode(await world.walletd(args, password), 0);
  return {
    world,
    users,
    staff: await signIn('olga@example.com'),
    address,
    signIn,
    countEntries: async (where = 'true', values = []) => {
      const text = `SELECT count(*)::int AS n FROM transactions WHERE ${where}`;
      const [row] = await queryService<{ n: number }>(world.dataDir, 'wallet', text, values);
      return row?.n ?? 0;
    },
    findLedgerFaults: async () => {
      let faults: string[] = [];
      await waitUntil('the ledger and its projection agree', async () => {
        faults = await findFaults(world.dataDir);
        return faults.length === 0;
      }).catch(() => undefined);
      return faults;
    },
  };
}
