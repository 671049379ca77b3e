import { expect } from 'vitest';

import { isReason } from '../../../core/reasons.ts';
import { httpFaults } from '../../../daemon/gateway/http/problems.ts';
import { findFreePort } from '../../support/free-port.ts';
import { sendRaw, toRequest, type RawAnswer } from '../../support/http/raw.ts';
import { queryService } from '../../support/ledger/ledger.ts';
import { createWorld } from '../../support/processes/world.ts';

export const person = { email: 'ana@example.com', password: 'correct horse battery' };
export const json = { 'Content-Type': 'application/json' };
export const deposit = JSON.stringify({ operation: 0, amount: 1 });

export type Headers = Readonly<Record<string, string>>;
export type HostileWorld = Awaited<ReturnType<typeof startHostileWorld>>;

/** A daemon with a customer, who has made one deposit, and whose credentials are good. */
export async function startHostileWorld() {
  const world = await createWorld();
  const port = await findFreePort();
  await world.start({ WALLETD_HTTP_LISTEN: `127.0.0.1:${port}` });
  const send = (method: string, target: string, headers?: Headers, body?: string | Buffer) =>
    sendRaw(port, toRequest(method, target, headers, body));
  const move = (headers: Headers, body: string | Buffer = deposit) =>
    send('POST', '/wallet/transaction', { ...json, ...headers }, body);
  const signUp = { ...person, confirmPassword: person.password };
  const signedUp = await send('POST', '/auth/sign-up', json, JSON.stringify(signUp));
  const cookie = signedUp.headers['set-cookie']?.split(';')[0] ?? '';
  const signedIn = await send('POST', '/v1/sign-in', json, JSON.stringify(person));
  const { accessToken } = signedIn.body['tokens'] as { accessToken: string };
  expect((await move({ Cookie: cookie })).status).toBe(201);
  const countEntries = async (): Promise<string> => {
    const text = 'SELECT count(*)::text AS count FROM transactions';
    const [row] = await queryService<{ count: string }>(world.dataDir, 'wallet', text);
    return row?.count ?? '';
  };
  return {
    ...{ port, cookie, send, move },
    authorization: `Bearer ${accessToken}`,
    /** The ledger has the one deposit, and the daemon has met no surprise. */
    expectUnchanged: async (): Promise<void> => {
      expect(await countEntries()).toBe('1');
      expect(world.daemon().log()).not.toMatch(/"level":"(error|fatal)"|Warning:/);
    },
    dispose: () => world.dispose(),
  };
}

/** A problem of a known reason, with the headers of every answer. */
export function expectProblem(answer: RawAnswer, status: number, reason: string): void {
  expect(answer.body, answer.text.slice(0, 300)).toMatchObject({ status, reason });
  expect(answer.status).toBe(status);
  expect(isReason(reason) || Object.hasOwn(httpFaults, reason)).toBe(true);
  expect(answer.headers).toMatchObject({
    'content-type': 'application/problem+json',
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
    'x-request-id': answer.body['requestId'],
  });
}
