import { bearer, createHttpClient } from '../../support/http/client.ts';
import { Operation } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { nameOf, type Op } from '../book.ts';
import type { FaultNode } from '../site/fault-site.ts';
import type { Person } from '../site/people.ts';
import { completeBy, formatMinor, type JsonAnswer } from './json-answers.ts';
import { between, chooseOperation, merchantOf, pause, randomOf, type Load } from './load.ts';

const patienceMs = 8_000;

/** A customer's program on the HTTP gateways, one request after the other. */
export async function runHttpClient(load: Load, person: Person, name: string): Promise<void> {
  for (let step = 0; !load.isOver(); step += 1) {
    const random = randomOf(load, name, step);
    const who = { via: 'http', callerClass: 'customer', userId: person.id } as const;
    const op = load.book.ask(chooseOperation(load, random, who));
    await completeBy(load, op, name, random, (node) => post(node, person, op));
    await pause(load, between(random, [200, 600]) / load.intensity);
  }
}

async function post({ url }: FaultNode, person: Person, op: Op): Promise<JsonAnswer> {
  const client = createHttpClient(url);
  const headers = { ...bearer(person.token), 'idempotency-key': `"${op.key}"` };
  const merchant = merchantOf(op);
  const body = {
    ...{ operation: nameOf(op.operation), amount: formatMinor(op.amountMinor), currency: 'BRL' },
    ...(op.parentId === undefined ? {} : { parentId: op.parentId }),
    ...(merchant === undefined ? {} : { merchant }),
    ...(op.operation === Operation.TRANSFER ? { toUserId: op.otherUserId } : {}),
    ...(op.account === undefined ? {} : { via: op.account }),
  };
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('no answer')), patienceMs);
  });
  try {
    const sent = client.send('POST', '/v1/transactions', { headers, body });
    sent.catch(() => undefined);
    const reply = await Promise.race([sent, late]);
    if (reply.status < 300) return { transaction: reply.body };
    const { reason } = reply.body;
    return { reason: typeof reason === 'string' ? reason : `code ${reply.status}` };
  } catch (err) {
    return { reason: `code ${String(err)}` };
  } finally {
    clearTimeout(timer);
    client.close();
  }
}
