import { createUserOnHost } from '../../../daemon/auth/index.ts';
import {
  AuthServiceService as rpc,
  type ListAuditEventsRequest,
  type TokenSet,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Answer, AuthServer } from './server.ts';

const password = 'correct horse battery';

export type SignedInUser = {
  readonly id: string;
  readonly email: string;
  readonly tokens: TokenSet;
  /** What to send as authorization. */
  readonly bearer: string;
};

export function valueOf<Res>(answer: Answer<Res>): Res {
  if (!answer.ok) throw new Error(`${answer.reason}: ${answer.message}`);
  return answer.value;
}
export const reasonOf = (answer: Answer<unknown>): string => (answer.ok ? 'ok' : answer.reason);
export const bearerOf = (tokens: TokenSet): string => `Bearer ${tokens.accessToken}`;

/** People with accounts on an auth server of a test. */
export function createPeople(server: () => AuthServer) {
  let count = 0;
  const newEmail = (): string => `user${(count += 1)}@example.com`;
  const trySignIn = (email: string, text = password) =>
    server().call(rpc.signIn, { email, password: text, client: 'test', deviceToken: '' });
  const signIn = async (email: string): Promise<TokenSet> => {
    const { tokens } = valueOf(await trySignIn(email));
    if (!tokens) throw new Error('a sign-in without tokens');
    return tokens;
  };
  /** Made on the host, then signed in. */
  const create = async (role: 'customer' | 'operator' | 'admin'): Promise<SignedInUser> => {
    const email = newEmail();
    const created = await createUserOnHost(server().database.db, { email, password, role });
    if (!created.ok) throw new Error(created.rejection.message);
    const tokens = await signIn(email);
    return { id: created.value.id, email, tokens, bearer: bearerOf(tokens) };
  };
  /** The lines of the audit log, the newest first. */
  const audit = async (admin: SignedInUser, filter: Partial<ListAuditEventsRequest>) => {
    const all = { pageSize: 0, pageToken: '', actor: '', target: '', action: '' };
    return valueOf(await server().call(rpc.listAuditEvents, { ...all, ...filter }, admin.bearer))
      .events;
  };
  /** Until so many calls wait for a lock, or `isDone` says that they need not. */
  const untilWaiting = async (waiting: number, isDone = () => false): Promise<void> => {
    for (;;) {
      const rows = await server().database.query(
        `SELECT 1 FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      if (rows.length >= waiting || isDone()) return;
    }
  };
  return { newEmail, trySignIn, signIn, create, audit, untilWaiting };
}
