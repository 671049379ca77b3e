import { AuthServiceService as rpc } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Result } from '../../../core/reasons.ts';
import type { AuthServer } from '../../../tests/support/auth/server.ts';

export const password = 'correct horse battery';

/** Too short to wait in line for. */
export const impatientMs = 300;

type Attempt = {
  readonly source?: string;
  readonly deviceToken?: string;
  readonly timeoutMs?: number;
};

export const reasonOf = (result: Result<unknown>) => (result.ok ? 'ok' : result.rejection.reason);

/** How often each answer came. */
export function tally(results: readonly Result<unknown>[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const reason of results.map(reasonOf)) counts[reason] = (counts[reason] ?? 0) + 1;
  return counts;
}

/** People who sign in, right or wrong, from addresses of their own. */
export function createPeople(server: AuthServer) {
  let count = 0;
  const newEmail = () => `user${(count += 1)}@example.com`;
  const newSource = () => `203.0.${Math.floor((count += 1) / 250)}.${count % 250}`;
  const signIn = (email: string, text: string, more: Attempt = {}) =>
    server.callFrom(
      more.source ?? newSource(),
      rpc.signIn,
      { email, password: text, client: 'test', deviceToken: more.deviceToken ?? '' },
      more.timeoutMs ?? impatientMs * 100,
    );
  const customer = async (): Promise<string> => {
    const email = newEmail();
    const signedUp = await server.callFrom(newSource(), rpc.signUp, { email, password });
    if (!signedUp.ok) throw new Error(signedUp.rejection.message);
    return email;
  };
  return {
    newEmail,
    newSource,
    customer,
    signIn,
    deviceOf: async (email: string): Promise<string> => {
      const signedIn = await signIn(email, password);
      if (!signedIn.ok) throw new Error(signedIn.rejection.message);
      return signedIn.value.deviceToken;
    },
    /** Wrong passwords one after the other. */
    guess: async (email: string, times: number, more: Attempt = {}): Promise<string[]> => {
      const reasons: string[] = [];
      for (let i = 0; i < times; i += 1) {
        reasons.push(reasonOf(await signIn(email, `wrong ${i}`, more)));
      }
      return reasons;
    },
    /** As if so many seconds had passed for every counter. */
    pass: (seconds: number) =>
      server.database.query(
        `UPDATE attempts SET blocked_until = blocked_until - $1 * interval '1 second',
           expires_at = expires_at - $1 * interval '1 second'`,
        [seconds],
      ),
  };
}
