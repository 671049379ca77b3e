import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { Client, credentials } from '@grpc/grpc-js';

import { walletIdOf } from '../../core/ids.ts';
import type { Role } from '../../core/roles.ts';
import {
  AuthServiceService,
  type SignInResponse,
} from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import {
  Operation,
  WalletServiceService,
  type CreateTransactionResponse,
  type ListTransactionsResponse,
} from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { StatementServiceService } from '../../protos/gen/digitalwallet/statement/v1/statement.ts';
import { callAny, type AnyMethod, type Outcome } from '../support/grpc/any-call.ts';
import { item } from '../support/grpc/client.ts';
import { createWorld, expectCode, password, type World } from '../support/processes/world.ts';
import { createMint, type Mint } from './forgeries.ts';
import { exportOf } from './requests.ts';

/** A user with an account, signed in. */
export type Person = {
  readonly name: string;
  readonly role: Role;
  readonly userId: string;
  readonly email: string;
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly sessionId: string;
};

/** What belongs to a customer; undefined where this version cannot make one yet. */
export type Belongings = {
  readonly userId: string;
  readonly walletId: string;
  /** A second wallet, in euros. */
  readonly euroWalletId: string;
  readonly transactionId: string;
  /** A purchase that was not reversed. */
  readonly purchaseId: string;
  readonly euroTransactionId: string;
  readonly idempotencyKey: string;
  readonly pageToken: string;
  readonly sessionId: string;
  readonly apiKeyId: string | undefined;
  readonly exportId: string | undefined;
  /** An open hold on the wallet. */
  readonly holdId: string;
};

export type Stage = {
  readonly world: World;
  readonly mint: Mint;
  readonly serviceAuthorization: string;
  call(method: AnyMethod, request: object, authorization?: string): Promise<Outcome>;
  /** Signs up, in and gives the account. */
  person(name: string, role: Role): Promise<Person>;
  belongingsOf(person: Person): Promise<Belongings>;
  /** An API key of this person, or undefined where it cannot be had. */
  keyOf(person: Person, bounds: KeyBounds): Promise<ApiKey | undefined>;
  dispose(): Promise<void>;
};

type KeyBounds = {
  readonly scopes: readonly string[];
  readonly walletId?: string;
  readonly operations?: readonly string[];
  readonly lifeMs?: number;
};
type ApiKey = { readonly id: string; readonly secret: string };

/** Objects of no user: requests for them must get the same answers as those for hidden ones. */
export const nothing = (): Belongings => ({
  userId: randomUUID(),
  walletId: randomUUID(),
  euroWalletId: randomUUID(),
  transactionId: randomUUID(),
  purchaseId: randomUUID(),
  euroTransactionId: randomUUID(),
  idempotencyKey: `unused ${randomUUID()}`,
  pageToken: Buffer.from(JSON.stringify(['AAAAAAAAAAAAAAAA', { seq: '1' }])).toString('base64url'),
  sessionId: randomUUID(),
  apiKeyId: randomUUID(),
  exportId: randomUUID(),
  holdId: randomUUID(),
});

export const bearer = (token: string): string => `Bearer ${token}`;

/** A daemon with a service credential that is known here, and people with money. */
export async function setStage(): Promise<Stage> {
  const world = await createWorld();
  const secret = `${randomUUID()}${randomUUID()}`;
  const file = join(world.folder, 'service-credential');
  await writeFile(file, secret, { mode: 0o600 });
  const daemon = await world.start({ WALLETD_SERVICE_CREDENTIAL_FILE: file, LOG_LEVEL: 'warn' });
  const client = new Client(daemon.address, credentials.createInsecure());
  const call: Stage['call'] = (method, request, authorization) =>
    callAny(client, method, request, authorization);
  const mint = await createMint(world.dataDir);
  return {
    world,
    mint,
    serviceAuthorization: `Service ${secret}`,
    call,
    person: (name, role) => createPerson(world, call, name, role),
    belongingsOf: async (person) => {
      const holder = await createPerson(world, call, `staff-of-${person.name}`, 'operator');
      return createBelongings(call, person, holder);
    },
    keyOf: (person, bounds) => createKey(call, person, bounds),
    dispose: async () => {
      client.close();
      await mint.close();
      await world.dispose();
    },
  };
}

async function createPerson(
  world: World,
  call: Stage['call'],
  name: string,
  role: Role,
): Promise<Person> {
  const email = `${name}@example.com`;
  const args = ['users', 'create', '--email', email, '--role', role];
  expectCode(await world.walletd(args, password), 0);
  const request = { email, password, client: `of ${name}`, deviceToken: '' };
  const done = await call(AuthServiceService.signIn as unknown as AnyMethod, request);
  const { tokens, user } = must<SignInResponse>(done);
  return {
    name,
    role,
    email,
    userId: user?.id ?? '',
    accessToken: tokens?.accessToken ?? '',
    refreshToken: tokens?.refreshToken ?? '',
    sessionId: tokens?.sessionId ?? '',
  };
}

/** The answer of a call that must succeed. */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- what the RPC gives
export function must<Res>(outcome: Outcome): Res {
  if (outcome.code !== 0) throw new Error(`${outcome.reason}: ${outcome.message}`);
  return outcome.messages[0] as Res;
}

/** `holder` is of the staff: customers place no holds. */
async function createBelongings(
  call: Stage['call'],
  person: Person,
  holder: Person,
): Promise<Belongings> {
  const authorization = bearer(person.accessToken);
  const post = async (operation: Operation, currency: string, idempotencyKey: string) => {
    const asked = item({ operation, currency, amountMinor: 100n, idempotencyKey });
    const withText = { ...asked, description: `private of ${person.name}` };
    const request = { item: withText, dryRun: false };
    const method = WalletServiceService.createTransaction as unknown as AnyMethod;
    const made = must<CreateTransactionResponse>(await call(method, request, authorization));
    return made.transaction?.id ?? '';
  };
  const idempotencyKey = `key of ${person.name}`;
  const transactionId = await post(Operation.DEPOSIT, 'BRL', idempotencyKey);
  const purchaseId = await post(Operation.PURCHASE, 'BRL', randomUUID());
  const euroTransactionId = await post(Operation.DEPOSIT, 'EUR', randomUUID());
  await post(Operation.DEPOSIT, 'BRL', randomUUID());
  const hold = item({ operation: Operation.HOLD, userId: person.userId, amountMinor: 10n });
  const placed = await call(
    WalletServiceService.createTransaction as unknown as AnyMethod,
    { item: hold, dryRun: false },
    bearer(holder.accessToken),
  );
  const listed = await call(
    WalletServiceService.listTransactions as unknown as AnyMethod,
    {
      ...{ userId: '', currency: 'BRL', pageSize: 1, pageToken: '' },
      ...{ ascending: false, operation: 0, idPrefix: '' },
    },
    authorization,
  );
  const queued = await call(
    StatementServiceService.createExport as unknown as AnyMethod,
    exportOf('', 'BRL', false),
    authorization,
  );
  const second = await call(AuthServiceService.signIn as unknown as AnyMethod, {
    email: person.email,
    password,
    client: 'to be ended',
    deviceToken: '',
  });
  const key = await createKey(call, person, { scopes: ['wallets:read'] });
  const made = queued.messages[0] as { export?: { id: string } } | undefined;
  return {
    userId: person.userId,
    walletId: walletIdOf(person.userId, 'BRL'),
    euroWalletId: walletIdOf(person.userId, 'EUR'),
    transactionId,
    purchaseId,
    euroTransactionId,
    idempotencyKey,
    pageToken: must<ListTransactionsResponse>(listed).nextPageToken,
    sessionId: must<SignInResponse>(second).tokens?.sessionId ?? '',
    apiKeyId: key?.id,
    exportId: made?.export?.id,
    holdId: must<CreateTransactionResponse>(placed).transaction?.id ?? '',
  };
}

async function createKey(
  call: Stage['call'],
  person: Person,
  { scopes, walletId, operations = [], lifeMs = 3_600_000 }: KeyBounds,
): Promise<ApiKey | undefined> {
  const request = {
    name: `for ${scopes.join(' ')}`,
    scopes,
    operations,
    expiresAt: new Date(Date.now() + lifeMs),
    ...(walletId === undefined ? {} : { walletId }),
  };
  const method = AuthServiceService.createApiKey as unknown as AnyMethod;
  const outcome = await call(method, request, bearer(person.accessToken));
  // A scope beyond what its owner may is refused, and rightly.
  if (['UNIMPLEMENTED', 'PERMISSION_DENIED'].includes(outcome.reason)) return undefined;
  const made = must<{ apiKey?: { id: string }; secret: string }>(outcome);
  return { id: made.apiKey?.id ?? '', secret: made.secret };
}
