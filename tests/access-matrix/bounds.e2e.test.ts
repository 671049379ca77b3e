import { readFile } from 'node:fs/promises';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { refusalOf } from './answers.ts';
import { bearer, setStage, type Person, type Stage } from './people.ts';
import { plainRequests } from './requests.ts';
import { rpcs, type Rpc } from './rpcs.ts';

type Field = { readonly name: string; readonly type: string; readonly oneof: string | undefined };
type Kind = 'list' | 'text' | 'message' | 'other';

const camel = (name: string): string =>
  name.replace(/_(\w)/g, (_all, letter: string) => letter.toUpperCase());

/** The messages of a proto, and the request of each RPC: read from its text. */
async function readProto(service: string) {
  const file = new URL(
    `../../protos/digitalwallet/${service}/v1/${service}.proto`,
    import.meta.url,
  );
  const text = (await readFile(file, 'utf8')).replace(/\/\/.*$/gm, '');
  const messages = new Map<string, Field[]>();
  for (const [, name = '', body = ''] of text.matchAll(/^message (\w+) \{(\}|.*?^\})/gms)) {
    let oneof: string | undefined;
    const fields: Field[] = [];
    for (const line of body.split('\n')) {
      oneof = /oneof (\w+)/.exec(line)?.[1] ?? (line.includes('}') ? undefined : oneof);
      const found = /^\s*((?:repeated |optional )?[\w.]+(?:<.*>)?) (\w+) = \d+/.exec(line);
      if (found) fields.push({ type: found[1] ?? '', name: found[2] ?? '', oneof });
    }
    messages.set(name, fields);
  }
  const requests = new Map(
    [...text.matchAll(/rpc (\w+)\((?:stream )?(\w+)\)/g)].map(([, rpc = '', request = '']) => [
      `${service}.${rpc.charAt(0).toLowerCase()}${rpc.slice(1)}`,
      request,
    ]),
  );
  return { messages, requests };
}

function kindOf({ type }: Field): Kind {
  if (type.startsWith('repeated ') || type.startsWith('map<')) return 'list';
  if (/^(optional )?(string|bytes)$/.test(type)) return 'text';
  return /^(optional )?[A-Z]\w*$/.test(type) ? 'message' : 'other';
}

/** Too many, or too long, within the bytes that a request may have. */
function exceed({ type }: Field): unknown {
  if (type.startsWith('map<')) {
    return Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`k${i}`, '']));
  }
  if (!type.startsWith('repeated ')) return 'x'.repeat(200_000);
  if (type.endsWith(' string')) return Array<string>(50_000).fill('');
  return Array<number>(200_000).fill(1);
}

let stage: Stage;
let people: Record<'customer' | 'operator' | 'admin', Person>;

beforeAll(async () => {
  stage = await setStage();
  people = {
    customer: await stage.person('ana', 'customer'),
    operator: await stage.person('otto', 'operator'),
    admin: await stage.person('ada', 'admin'),
  };
});
afterAll(() => stage.dispose());

const counts = { fields: 0 };
afterAll(() => console.info(`bounds: ${counts.fields} fields of requests`));

function credentialOf({ right }: Rpc): string | undefined {
  if (right === 'public') return undefined;
  const role = (['customer', 'admin', 'operator'] as const).find((one) =>
    right.roles.includes(one),
  );
  return role === undefined ? stage.serviceAuthorization : bearer(people[role].accessToken);
}

/** Refused for what they are not, whatever their length: the bound is that of the message. */
const credentials: Readonly<Record<string, string>> = {
  'auth.signIn.password': 'CREDENTIALS_INVALID',
  'auth.refreshSession.refresh_token': 'REFRESH_TOKEN_INVALID',
  'auth.exchangeSession.browser_token': 'TOKEN_INVALID',
  'auth.validateToken.access_token': 'TOKEN_INVALID',
};

/** The caller of this RPC has another credential: its refusal says which one is meant. */
const isNamedCredential = ({ name }: Rpc, field: Field): boolean =>
  `${name}.${field.name}` === 'auth.exchangeSession.browser_token';

describe('bounds of requests', () => {
  it.each(rpcs)('every list and text field of a $name request has a bound', async (rpc) => {
    const [service = ''] = rpc.name.split('.');
    const { messages, requests } = await readProto(service);
    const fields = messages.get(requests.get(rpc.name) ?? '');
    expect(fields, 'its request in the proto').toBeDefined();
    const plain = plainRequests[rpc.name]!({ userId: '', validToken: people.customer.accessToken });
    const send = async (request: object) =>
      refusalOf(await stage.call(rpc.definition, request, credentialOf(rpc)));
    for (const field of fields ?? []) {
      const kind = kindOf(field);
      if (kind === 'list' || kind === 'text') {
        if (field.type.endsWith('TransactionItem')) continue;
        counts.fields += 1;
        const value = exceed(field);
        const key = camel(field.name);
        const part =
          field.oneof === undefined
            ? { [key]: value }
            : { [camel(field.oneof)]: { $case: key, value } };
        const { reason, metadata } = await send({ ...plain, ...part });
        const expected = credentials[`${rpc.name}.${field.name}`] ?? 'INVALID_ARGUMENT';
        const isNamed = expected === 'INVALID_ARGUMENT' || isNamedCredential(rpc, field);
        const named = isNamed ? field.name : undefined;
        expect([field.name, reason, metadata['field']]).toEqual([field.name, expected, named]);
      }
    }
  });

  const movers = ['createTransaction', 'streamTransactions', 'batchCreateTransactions'];
  it.each(movers.map((method) => `wallet.${method}`))(
    'every list and text field of an item of %s has a bound',
    async (name) => {
      const rpc = rpcs.find((one) => one.name === name)!;
      const { messages } = await readProto('wallet');
      const plain = plainRequests[name]!({ userId: '', validToken: '' }) as {
        item?: object;
        items?: object[];
      };
      const inner = plain.item ?? plain.items?.[0] ?? {};
      for (const field of messages.get('TransactionItem') ?? []) {
        if (!['list', 'text'].includes(kindOf(field))) continue;
        counts.fields += 1;
        const changed = { ...inner, [camel(field.name)]: exceed(field) };
        const request = plain.item ? { item: changed } : { items: [changed] };
        const outcome = await stage.call(
          rpc.definition,
          { ...plain, ...request },
          credentialOf(rpc),
        );
        const { reason } = refusalOf(outcome);
        expect([field.name, reason]).toEqual([
          field.name,
          field.name === 'currency' ? 'CURRENCY_UNKNOWN' : 'INVALID_ARGUMENT',
        ]);
      }
      if (!plain.items) return;
      const items = Array<object>(1_025).fill(inner);
      const outcome = await stage.call(rpc.definition, { ...plain, items }, credentialOf(rpc));
      expect(outcome).toMatchObject({ reason: 'INVALID_ARGUMENT', metadata: { field: 'items' } });
    },
  );
});
