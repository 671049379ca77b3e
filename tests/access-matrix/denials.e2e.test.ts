import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { textOf } from '../support/grpc/any-call.ts';
import { queryService, waitUntil } from '../support/ledger/ledger.ts';
import { refusalOf } from './answers.ts';
import { objectRules } from './objects.ts';
import { bearer, nothing, setStage, type Belongings, type Person, type Stage } from './people.ts';
import { rpcs } from './rpcs.ts';

let stage: Stage;
let ana: Person;
let bia: Person;
let anas: Belongings;

beforeAll(async () => {
  stage = await setStage();
  ana = await stage.person('ana', 'customer');
  bia = await stage.person('bia', 'customer');
  anas = await stage.belongingsOf(ana);
});
afterAll(() => stage.dispose());

type Line = { action: string; target: string; result: string };
const linesOf = (service: string, actor: string): Promise<Line[]> =>
  queryService<Line>(
    stage.world.dataDir,
    service,
    'SELECT action, target, result FROM audit_log WHERE actor = $1',
    [actor],
  );

const ask = (rpc: string, request: object, credential: string) =>
  stage.call(rpcs.find(({ name }) => name === rpc)!.definition, request, bearer(credential));

/**
 * Neither a page token nor an idempotency key names an object: they are looked up in one's own. An
 * operation that customers may not do is refused before its object is looked at.
 */
const naming = objectRules.filter(
  ({ names, hidden }) =>
    !/^(page_token|idempotency_key)$/.test(names) && !hidden.includes('OPERATION_NOT_ALLOWED'),
);

describe('objects of other users', () => {
  it.each(naming)('$rpc by $names of another user is audited as denied', async (rule) => {
    const [service = '', method = ''] = rule.rpc.split('.');
    const isSame = ({ action, target, result }: Line): boolean =>
      action === `denied ${method}` && ids.includes(target) && rule.hidden.includes(result);
    const request = rule.request(anas);
    const ids = Object.values(anas).filter(
      (id) => id !== undefined && textOf(request).includes(id),
    );
    const before = (await linesOf(service, bia.userId)).filter(isSame).length;
    const { reason } = refusalOf(await ask(rule.rpc, request, bia.accessToken));
    expect(rule.hidden).toContain(reason);
    await waitUntil(
      'a line in the audit log',
      async () => (await linesOf(service, bia.userId)).filter(isSame).length === before + 1,
      5_000,
    );
  });
});

describe('absent objects', () => {
  it('a request for an absent object without an owner id leaves no audit record', async () => {
    const person = await stage.person('caio', 'customer');
    const rules = naming.filter(({ names }) => !/user_id|owner_id/.test(names));
    for (const rule of rules) await ask(rule.rpc, rule.request(nothing()), person.accessToken);
    // A line that does come, after all that might have.
    await ask('wallet.getBalance', { userId: ana.userId, currency: 'BRL' }, person.accessToken);
    await ask('auth.getUser', { userId: ana.userId }, person.accessToken);
    await ask('statement.listExports', { userId: ana.userId, pageSize: 1 }, person.accessToken);
    for (const service of ['auth', 'wallet', 'statement']) {
      const denials = async () =>
        (await linesOf(service, person.userId)).filter(({ action }) => /^denied/.test(action));
      await waitUntil('the last line', async () => (await denials()).length > 0);
      expect(await denials()).toMatchObject([{ target: ana.userId }]);
    }
  });
});

describe('floods of denials', () => {
  it('denials in the audit log are bounded, which is said once; absent ids leave none', async () => {
    const person = await stage.person('dora', 'customer');
    const get = (value: string) =>
      ask(
        'wallet.getTransaction',
        { by: { $case: 'transactionId', value }, userId: '', currency: '' },
        person.accessToken,
      );
    for (let i = 0; i < 100; i += 1) await get(randomUUID());
    await get(anas.transactionId);
    const lines = () => linesOf('wallet', person.userId);
    await waitUntil('the line', async () => (await lines()).length === 1);
    expect(await lines()).toMatchObject([{ target: anas.transactionId }]);
    for (let i = 0; i < 150; i += 1) await get(anas.transactionId);
    const isBound = ({ result }: Line): boolean => result === 'MANY_DENIALS';
    await waitUntil('the bound', async () => (await lines()).some(isBound));
    const all = await lines();
    // The minute may have turned once meanwhile. Each has 60 denials, and a line for the rest.
    expect(all.length).toBeLessThanOrEqual(122);
    expect(all.filter(isBound)).toHaveLength(all.length === 122 ? 2 : 1);
  });
});
