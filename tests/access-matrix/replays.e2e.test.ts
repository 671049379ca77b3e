import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { walletIdOf } from '../../core/ids.ts';
import type { ApiKeyScope } from '../../core/scopes.ts';
import { forgeCreated, withWrongHash } from '../support/ledger/forged-created.ts';
import { queryService } from '../support/ledger/ledger.ts';
import { Operation } from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { item } from '../support/grpc/client.ts';
import { buryIn, letterOf, type GivenLetter } from '../support/broker/letters.ts';
import { toBody } from '../support/broker/producer.ts';
import { bearer, must, setStage, type Person, type Stage } from './people.ts';
import { rpcs } from './rpcs.ts';

type Bounds = { readonly scopes: readonly ApiKeyScope[]; wallet?: 'ana' | 'bia'; only?: string };
type Caller = {
  readonly name: string;
  readonly authorization: string | undefined;
  readonly as: Person | 'anonymous' | 'service';
  readonly key?: Bounds;
};

const read = 'dead-letters:read';
const write = 'dead-letters:write';
const move = 'transactions:write';
const keys: readonly Bounds[] = [
  ...[[read], [write], [move], [read, write], [read, move], [write, move]].map((scopes) => ({
    scopes: scopes as ApiKeyScope[],
  })),
  { scopes: [read, write, move] },
  ...(['ana', 'bia'] as const).map((wallet) => ({ scopes: [read, write, move] as const, wallet })),
  ...['deposit', 'withdraw'].map((only) => ({ scopes: [read, write, move] as const, only })),
];

let stage: Stage;
let ana: Person;
let bia: Person;
let callers: readonly Caller[];
const counts = { replays: 0, reads: 0, statements: 0 };

beforeAll(async () => {
  stage = await setStage();
  ana = await stage.person('ana', 'customer');
  bia = await stage.person('bia', 'customer');
  const staff = [await stage.person('otto', 'operator'), await stage.person('ada', 'admin')];
  const made: Caller[] = [
    { name: 'anonymous', authorization: undefined, as: 'anonymous' },
    { name: 'service', authorization: stage.serviceAuthorization, as: 'service' },
  ];
  for (const person of [ana, ...staff]) {
    made.push({ name: person.role, authorization: bearer(person.accessToken), as: person });
  }
  for (const person of staff) {
    for (const key of keys) {
      const wallets = { ana: walletIdOf(ana.userId, 'BRL'), bia: walletIdOf(bia.userId, 'BRL') };
      const bounds = {
        scopes: key.scopes,
        ...(key.wallet ? { walletId: wallets[key.wallet] } : {}),
        operations: key.only === undefined ? [] : [key.only],
      };
      const { secret = '' } = (await stage.keyOf(person, bounds)) ?? {};
      const name = `key of ${person.role}: ${JSON.stringify(key)}`;
      made.push({ name, authorization: bearer(secret), as: person, key });
    }
  }
  callers = made;
});

afterAll(async () => {
  const { replays, reads, statements } = counts;
  console.info(
    `replays: ${replays + reads + statements} cells: ${replays} of replays, ${reads} of reads, ` +
      `${statements} of statement lines (${callers.length} callers)`,
  );
  await stage.dispose();
});

const ask = (rpc: string, request: object, { authorization }: Caller) =>
  stage.call(rpcs.find(({ name }) => name === rpc)!.definition, request, authorization);

/** Whether the caller gets past the policy of a method with this scope. */
function atGate({ as, key }: Caller, scope: ApiKeyScope): string {
  if (as === 'anonymous') return 'CREDENTIALS_MISSING';
  if (as === 'service' || as.role === 'customer') return 'PERMISSION_DENIED';
  return !key || key.scopes.includes(scope) ? '' : 'PERMISSION_DENIED';
}

const kinds = ['unchanged', 'same body', 'changed body', 'added key'] as const;
type Kind = (typeof kinds)[number];
type Target = 'ana' | 'bia' | 'self';

/** What docs/security.md says of a replay, written down a second time. */
function expectReplay(caller: Caller, kind: Kind, target: Target): string {
  const refusal = atGate(caller, write);
  if (refusal !== '') return refusal;
  const isOwnAction = kind === 'changed body' || kind === 'added key';
  if (isOwnAction && target === 'self') return 'STAFF_OWN_WALLET';
  const { key } = caller;
  if (!key) return '';
  if (!key.scopes.includes(move)) return 'PERMISSION_DENIED';
  if (key.only !== undefined && key.only !== 'deposit') return 'OPERATION_NOT_ALLOWED';
  return key.wallet === undefined || key.wallet === target ? '' : 'PERMISSION_DENIED';
}

const deposit = (userId: string, amount = '0.01'): string =>
  toBody({ userId, operation: 'deposit', amount });

type Cell = { caller: Caller; kind: Kind; target: Target; letter: GivenLetter; request: object };

function toCell(caller: Caller, kind: Kind, target: Target, dryRun: boolean): Cell {
  const self = typeof caller.as === 'string' ? ana.userId : caller.as.userId;
  const body = deposit({ ana: ana.userId, bia: bia.userId, self }[target]);
  const stored = kind === 'changed body' ? deposit(randomUUID()) : body;
  const key = kind === 'added key' ? { messageId: undefined } : {};
  const letter = letterOf(stored, key);
  const change = {
    ...(kind === 'same body' ? { body: ` ${body}` } : {}),
    ...(kind === 'changed body' ? { body } : {}),
    ...(kind === 'added key' ? { messageId: randomUUID() } : {}),
  };
  return {
    caller,
    kind,
    target,
    letter,
    request: { deadLetterIds: [letter.id], dryRun, ...change },
  };
}

type Entry = { actor: string; letter: string | null };
async function entries(): Promise<Entry[]> {
  const text = `SELECT actor, metadata->>'deadLetterId' AS letter FROM transactions`;
  return queryService<Entry>(stage.world.dataDir, 'wallet', text);
}

describe.each(kinds)('replays (%s)', (kind) => {
  it.each(['ana', 'bia', 'self'] as const)(
    'a replay on the wallet of %s needs the right to it',
    async (target) => {
      const cells = callers.flatMap((caller) =>
        [true, false].map((dryRun) => toCell(caller, kind, target, dryRun)),
      );
      await buryIn(
        stage.world.dataDir,
        'wallet',
        cells.map(({ letter }) => letter),
      );
      const faults: string[] = [];
      for (const { caller, request } of cells) {
        counts.replays += 1;
        const before = await entries();
        const outcome = await ask('wallet.replayDeadLetters', request, caller);
        const expected = expectReplay(caller, kind, target);
        const { dryRun } = request as { dryRun: boolean };
        const where = `${caller.name}, dry run ${String(dryRun)}`;
        if (outcome.reason !== expected) faults.push(`${where}: ${outcome.reason || 'admitted'}`);
        const after = await entries();
        const moved = after.length - before.length;
        if (moved !== (expected === '' && !dryRun ? 1 : 0)) faults.push(`${where}: ${moved} moved`);
      }
      const own = kind === 'changed body' || kind === 'added key';
      const replayed = new Map((await entries()).map(({ letter, actor }) => [letter, actor]));
      for (const { caller, letter } of cells) {
        const actor = replayed.get(letter.id);
        const as = typeof caller.as === 'string' ? caller.as : caller.as.userId;
        if (actor !== undefined && (!own || actor !== as)) faults.push(`${caller.name}: ${actor}`);
      }
      expect(faults).toEqual([]);
    },
  );
});

/** A transfer from one to the other, with what both have before it. */
async function transfer(from: Person, to: Person): Promise<string> {
  const staff = callers.find(
    ({ as, key }) => typeof as !== 'string' && as.role === 'operator' && !key,
  )!;
  const of = { currency: 'BRL', amountMinor: 5n, userId: from.userId };
  const items = [
    item({ ...of, operation: Operation.DEPOSIT }),
    item({ ...of, operation: Operation.TRANSFER, toUserId: to.userId }),
  ];
  const done = [];
  for (const one of items) {
    const outcome = await ask('wallet.createTransaction', { item: one, dryRun: false }, staff);
    done.push(must<{ transaction: { id: string } }>(outcome).transaction.id);
  }
  return done[1]!;
}

describe('undos of transfers', () => {
  it('no key for one wallet takes from another by a replay', async () => {
    const undone = { ana: await transfer(ana, bia), bia: await transfer(bia, ana) };
    const faults: string[] = [];
    const seen = new Set<string>();
    for (const caller of callers.filter(({ key }) => key?.wallet !== undefined)) {
      for (const [payer, id] of Object.entries(undone)) {
        for (const [owner, { userId }] of Object.entries({ ana, bia })) {
          const letter = letterOf(toBody({ userId, operation: 'reversal', id }));
          await buryIn(stage.world.dataDir, 'wallet', [letter]);
          const request = { deadLetterIds: [letter.id], dryRun: true };
          const { reason } = await ask('wallet.replayDeadLetters', request, caller);
          // The payee gives back what is undone.
          const payee = payer === 'ana' ? 'bia' : 'ana';
          const isOwn = caller.key?.wallet === owner && owner === payee;
          const where = `${caller.name}: ${payer}'s transfer, of ${owner}`;
          if (reason !== (isOwn ? '' : 'PERMISSION_DENIED')) faults.push(`${where}: ${reason}`);
          seen.add(reason);
        }
      }
    }
    expect(faults).toEqual([]);
    expect(seen).toEqual(new Set(['', 'PERMISSION_DENIED']));
  });
});

describe('reading dead letters', () => {
  it.each(['wallet', 'statement'] as const)(
    'dead letters of %s are listed for callers with the scope only',
    async (service) => {
      const letter = letterOf('x');
      await buryIn(stage.world.dataDir, service, [letter]);
      const faults: string[] = [];
      for (const caller of callers) {
        for (const deadLetterIds of [[], [letter.id]]) {
          counts.reads += 1;
          const page = { pageSize: 1, pageToken: '', state: 0, reason: '', deadLetterIds };
          const { reason, messages } = await ask(`${service}.listDeadLetters`, page, caller);
          const isBound = caller.key?.wallet !== undefined;
          const expected = atGate(caller, read) || (isBound ? 'PERMISSION_DENIED' : '');
          if (reason !== expected) faults.push(`${caller.name}: ${reason || 'admitted'}`);
          if (messages.length > 0 !== (expected === '')) faults.push(`${caller.name}: sees some`);
          if (expected !== '' || typeof caller.as === 'string') continue;
          const text = `SELECT 1 FROM audit_log WHERE actor = $1 AND action = $2`;
          const action = deadLetterIds.length > 0 ? 'dead_letters.show' : 'dead_letters.list';
          const values = [caller.as.userId, action];
          const lines = await queryService(stage.world.dataDir, service, text, values);
          if (lines.length === 0) faults.push(`${caller.name}: no line for ${action}`);
        }
      }
      expect(faults).toEqual([]);
    },
  );
});

describe('statement lines', () => {
  it('no caller can forge a statement line with a replay', async () => {
    const forged = forgeCreated(ana.userId, 999_999);
    const faults: string[] = [];
    for (const caller of callers) {
      for (const line of [withWrongHash(forged), forged]) {
        for (const body of [undefined, line]) {
          counts.statements += 1;
          const letter = letterOf(body === undefined ? line : 'x');
          await buryIn(stage.world.dataDir, 'statement', [letter]);
          const request = { deadLetterIds: [letter.id], dryRun: false, body };
          const { code } = await ask('statement.replayDeadLetters', request, caller);
          if (code === 0) faults.push(caller.name);
        }
      }
    }
    expect(faults).toEqual([]);
    const text = 'SELECT 1 FROM statement_lines WHERE seq = 999999';
    expect(await queryService(stage.world.dataDir, 'statement', text)).toEqual([]);
  });
});
