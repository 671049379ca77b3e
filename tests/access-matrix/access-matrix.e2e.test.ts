import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { textOf, type Outcome } from '../support/grpc/any-call.ts';
import { queryService } from '../support/ledger/ledger.ts';
import { level, marksOf, refusalOf } from './answers.ts';
import {
  cast,
  expectAtAdmission,
  admissionReasons,
  checkAtAdmission,
  type Cast,
} from './callers.ts';
import type { ObjectRule } from './object-rule.ts';
import { objectRules } from './objects.ts';
import { bearer, nothing, setStage, type Belongings, type Person, type Stage } from './people.ts';
import { plainRequests } from './requests.ts';
import { mayBeUnimplemented } from './rights.ts';
import { rpcs } from './rpcs.ts';

let stage: Stage;
let players: Cast;
let people: Record<'ana' | 'bia' | 'operator' | 'admin', Person>;
let things: { readonly ana: Belongings; readonly bia: Belongings };
const counts = { admission: 0, objects: 0, deadLetters: 0 };
const unimplemented = new Map<string, number>();

beforeAll(async () => {
  stage = await setStage();
  people = {
    ana: await stage.person('ana', 'customer'),
    bia: await stage.person('bia', 'customer'),
    operator: await stage.person('otto', 'operator'),
    admin: await stage.person('ada', 'admin'),
  };
  const own = (who: Person): Promise<Belongings> => stage.belongingsOf(who);
  things = { ana: await own(people.ana), bia: await own(people.bia) };
  players = await cast(stage, people);
});

afterAll(async () => {
  // Where there is no stage, beforeAll has said why.
  (players as Cast | undefined)?.stop();
  const sum = counts.admission + counts.objects + counts.deadLetters;
  const cells = [...unimplemented].map(([rpc, count]) => `${rpc} (${count})`);
  console.info(
    `access matrix: ${sum} cells: ${counts.admission} at admission (${rpcs.length} RPCs, ` +
      `${players.callers.length} callers), ${counts.objects} of objects, ` +
      `${counts.deadLetters} of dead letters\n` +
      `unimplemented, counted as admitted: ${cells.join(', ') || 'none'}\n` +
      `callers that could not be made: ${players.missing.join(', ') || 'none'}`,
  );
  await stage.dispose();
});

const methodOf = (name: string) => rpcs.find((rpc) => rpc.name === name)!.definition;

/** Calls, and notes where nothing is behind admission yet. */
async function ask(rpc: string, request: object, authorization: string | undefined) {
  const outcome = await stage.call(methodOf(rpc), request, authorization);
  if (outcome.reason === 'UNIMPLEMENTED') {
    unimplemented.set(rpc, (unimplemented.get(rpc) ?? 0) + 1);
  }
  return outcome;
}

const isMissing = (rpc: string, outcome: Outcome): boolean =>
  outcome.reason === 'UNIMPLEMENTED' && mayBeUnimplemented.has(rpc);

describe('authorisation', () => {
  it.each(rpcs)('$name admits the allowed callers and no others', async ({ name, right }) => {
    const request = plainRequests[name];
    expect(request, 'a plain request in requests.ts').toBeDefined();
    const faults: string[] = [];
    await Promise.all(
      players.callers.map(async (caller) => {
        counts.admission += 1;
        const ground = {
          userId: caller.as === 'customer' ? '' : people.ana.userId,
          validToken: people.bia.accessToken,
        };
        const outcome = await ask(name, request!(ground), await caller.authorization());
        const fault = checkAtAdmission(outcome, expectAtAdmission(right, caller));
        if (fault !== undefined) faults.push(`${caller.name}: ${fault}`);
        if (outcome.reason === 'UNIMPLEMENTED' && !isMissing(name, outcome)) {
          faults.push(`${caller.name}: UNIMPLEMENTED`);
        }
      }),
    );
    expect(faults).toEqual([]);
  });

  it('no forged token made the daemon fetch a key from elsewhere', () => {
    expect(players.lureVisits()).toBe(0);
  });
});

/** What a customer's answers about another's object betray, against those about nothing. */
async function compareWithNothing(
  rule: ObjectRule,
  authorization: string,
  foreign: Belongings,
  marks: readonly string[],
): Promise<string[]> {
  const request = rule.request(foreign);
  const other = await ask(rule.rpc, request, authorization);
  const faults: string[] = [];
  counts.objects += 3;
  for (const absent of [nothing(), nothing()]) {
    const none = await ask(rule.rpc, rule.request(absent), authorization);
    if (isMissing(rule.rpc, other) && isMissing(rule.rpc, none)) continue;
    if (textOf(level(other)) !== textOf(level(none))) {
      faults.push(`${textOf(level(other))} differs from ${textOf(level(none))}`);
    }
    const { reason } = refusalOf(none);
    if (!rule.hidden.includes(reason)) faults.push(`absent: ${reason || 'admitted'}`);
  }
  const asked = textOf(request);
  const said = textOf(other);
  const leaks = marks.filter((mark) => said.includes(mark) && !asked.includes(mark));
  return [...faults, ...leaks.map((mark) => `shows ${mark}`)];
}

describe('objects of other users', () => {
  it.each(objectRules)('$rpc by $names hides objects of other users', async (rule) => {
    const faults: string[] = [];
    const pairs = [
      { self: people.ana, own: things.ana, other: people.bia, foreign: things.bia },
      { self: people.bia, own: things.bia, other: people.ana, foreign: things.ana },
    ];
    for (const { self, own, other, foreign } of pairs) {
      const authorization = bearer(self.accessToken);
      const marks = marksOf(other, foreign);
      faults.push(...(await compareWithNothing(rule, authorization, foreign, marks)));
      if (rule.own === 'not asked') continue;
      counts.objects += 1;
      const outcome = await ask(rule.rpc, rule.request(own), authorization);
      const { reason } = refusalOf(outcome);
      if (rule.hidden.includes(reason) || admissionReasons.has(reason)) {
        faults.push(`${self.name} is kept from their own: ${reason}`);
      }
      faults.push(...marks.filter((m) => textOf(outcome).includes(m)).map((m) => `own shows ${m}`));
    }
    expect(faults).toEqual([]);
  });

  it.each(objectRules.filter((rule) => rule.staff !== 'as the service likes'))(
    '$rpc by $names finds objects of customers for $staff only',
    async (rule) => {
      const faults: string[] = [];
      for (const person of [people.operator, people.admin]) {
        counts.objects += 1;
        const isExpected = rule.staff.split(' ').includes(person.role);
        const authorization = bearer(person.accessToken);
        const outcome = await ask(rule.rpc, rule.request(things.ana), authorization);
        const { reason } = refusalOf(outcome);
        const isKeptOut = rule.hidden.includes(reason) || admissionReasons.has(reason);
        if (isKeptOut === isExpected) faults.push(`${person.role}: ${reason || 'admitted'}`);
      }
      expect(faults).toEqual([]);
    },
  );

  it('an API key of a customer reaches no object of another user', async () => {
    const faults: string[] = [];
    for (const rule of objectRules) {
      const { right } = rpcs.find((rpc) => rpc.name === rule.rpc)!;
      const scope = right === 'public' ? undefined : right.scope;
      const key = scope && (await keyFor(scope));
      if (!key) continue;
      const found = await compareWithNothing(
        rule,
        bearer(key),
        things.ana,
        marksOf(people.ana, things.ana),
      );
      faults.push(...found.map((fault) => `${rule.rpc} by ${rule.names}: ${fault}`));
    }
    expect(faults).toEqual([]);
  });
});

const keys = new Map<string, string | undefined>();
/** A key of Bia for one scope. */
async function keyFor(scope: string): Promise<string | undefined> {
  if (!keys.has(scope))
    keys.set(scope, (await stage.keyOf(people.bia, { scopes: [scope] }))?.secret);
  return keys.get(scope);
}

describe('API keys with bounds', () => {
  const scopes = ['wallets:read', 'transactions:write', 'statements:read'];

  it('an API key for one wallet reaches no other wallet of its owner', async () => {
    const key = await stage.keyOf(people.ana, { scopes, walletId: things.ana.walletId });
    if (!key) {
      expect(mayBeUnimplemented).toContain('auth.createApiKey');
      return;
    }
    const { euroWalletId, euroTransactionId } = things.ana;
    const faults: string[] = [];
    for (const rule of objectRules) {
      const { right } = rpcs.find((rpc) => rpc.name === rule.rpc)!;
      if (right === 'public' || !right.scope || !scopes.includes(right.scope)) continue;
      if (rule.own === 'not asked') continue;
      counts.objects += 1;
      const outcome = await ask(rule.rpc, rule.request(things.ana), bearer(key.secret));
      const { reason } = refusalOf(outcome);
      const isElsewhere = /EUR|JPY/.test(rule.names);
      if (isMissing(rule.rpc, outcome)) continue;
      if (isElsewhere && reason !== 'PERMISSION_DENIED') {
        faults.push(`${rule.rpc} by ${rule.names}: ${reason || 'admitted'}`);
      }
      if (rule.names.includes('BRL') && reason !== '' && reason !== rule.afterAccess) {
        faults.push(`${rule.rpc} by ${rule.names}: ${reason}`);
      }
      const said = textOf(outcome);
      const leaks = [euroWalletId, euroTransactionId].filter((id) => said.includes(id));
      faults.push(...leaks.map((id) => `${rule.rpc} by ${rule.names} shows ${id}`));
    }
    const elsewhere = { ...things.ana, transactionId: euroTransactionId };
    for (const rule of objectRules.filter((r) => r.names.startsWith('transaction_id'))) {
      counts.objects += 1;
      const outcome = await ask(rule.rpc, rule.request(elsewhere), bearer(key.secret));
      if (outcome.code === 0) faults.push(`${rule.rpc}: finds a transaction of another wallet`);
    }
    expect(faults).toEqual([]);
  });

  it('an API key for one operation may post no other', async () => {
    const key = await stage.keyOf(people.ana, { scopes, operations: ['deposit'] });
    if (!key) {
      expect(mayBeUnimplemented).toContain('auth.createApiKey');
      return;
    }
    const of = (names: string) => objectRules.filter((rule) => rule.names.startsWith(names));
    const post = async (rule: ObjectRule): Promise<string> =>
      refusalOf(await ask(rule.rpc, rule.request(things.ana), bearer(key.secret))).reason;
    const isPost = (rule: ObjectRule) => /createTr|streamTr/.test(rule.rpc);
    for (const rule of of('user_id, BRL').filter(isPost)) {
      counts.objects += 1;
      expect(['', 'UNIMPLEMENTED']).toContain(await post(rule));
    }
    for (const rule of of('parent_id').filter(isPost)) {
      counts.objects += 1;
      expect(['PERMISSION_DENIED', 'OPERATION_NOT_ALLOWED', 'UNIMPLEMENTED']).toContain(
        await post(rule),
      );
    }
  });
});

describe('staff', () => {
  const moves = objectRules.filter((rule) => /createTr|streamTr/.test(rule.rpc));
  it.each(moves.filter((rule) => rule.names.startsWith('user_id')))(
    '$rpc by $names refuses staff on their own wallet and without a user',
    async (rule) => {
      for (const person of [people.operator, people.admin]) {
        const reasons = [];
        for (const userId of [person.userId, '']) {
          counts.objects += 1;
          const request = rule.request({ ...nothing(), userId });
          const outcome = await ask(rule.rpc, request, bearer(person.accessToken));
          if (!isMissing(rule.rpc, outcome)) reasons.push(refusalOf(outcome).reason);
        }
        expect(['', 'STAFF_OWN_WALLET,USER_REQUIRED']).toContain(reasons.join());
      }
    },
  );
});

describe('dead letters', () => {
  it.each(['wallet', 'statement'])(
    'dead letters of %s are found by staff only, and absent ones by no caller',
    async (service) => {
      const id = crypto.randomUUID();
      const columns = 'id, queue, reason, body, is_truncated';
      const insert = `INSERT INTO dead_letters (${columns}) VALUES ($1, 'q', 'NOT_JSON', 'x', false)`;
      await queryService(stage.world.dataDir, service, insert, [id]);
      const faults: string[] = [];
      for (const method of ['replayDeadLetters', 'discardDeadLetters']) {
        for (const person of Object.values(people)) {
          const answers = [];
          for (const deadLetterId of [id, crypto.randomUUID()]) {
            counts.deadLetters += 1;
            const request = { deadLetterIds: [deadLetterId], note: '', dryRun: true };
            const authorization = bearer(person.accessToken);
            answers.push(level(await ask(`${service}.${method}`, request, authorization)));
          }
          const [real, absent] = answers;
          const isStaff = person.role !== 'customer';
          if (isStaff && absent?.reason !== 'DEAD_LETTER_NOT_FOUND') faults.push(textOf(absent));
          if (isStaff && real?.code !== 0) faults.push(textOf(real));
          if (!isStaff && textOf(real) !== textOf(absent)) faults.push(textOf(answers));
        }
      }
      expect(faults).toEqual([]);
    },
  );
});
