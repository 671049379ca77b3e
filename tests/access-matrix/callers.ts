import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { roleTable, type Role } from '../../core/roles.ts';
import { apiKeyScopes, type ApiKeyScope } from '../../core/scopes.ts';
import type { Policy } from '../../daemon/platform/access/access.ts';
import {
  AuthServiceService,
  type SignInResponse,
} from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { AnyMethod, Outcome } from '../support/grpc/any-call.ts';
import { password } from '../support/processes/world.ts';
import { forge } from './forgeries.ts';
import { bearer, must, type Person, type Stage } from './people.ts';

/** A caller, and what is known of it. */
export type Caller = {
  readonly name: string;
  /** As sent. Made anew for each call where the call itself would end it. */
  readonly authorization: () => Promise<string | undefined>;
  /** Undefined for callers that every policy refuses: `refusals` has the reasons to expect. */
  readonly as: Role | 'service' | 'anonymous' | undefined;
  readonly scopes?: readonly ApiKeyScope[];
  readonly refusals?: readonly string[];
};

/** The refusals of those who are not known, and of those who may not. */
export const admissionReasons: ReadonlySet<string> = new Set([
  'CREDENTIALS_MISSING',
  'TOKEN_INVALID',
  'TOKEN_EXPIRED',
  'TOKEN_REVOKED',
  'PERMISSION_DENIED',
]);

/** How admission must answer: `in` if it admits the caller, or one of these reasons. */
export function expectAtAdmission(right: Policy, caller: Caller): 'in' | readonly string[] {
  if (right === 'public') return 'in';
  if (caller.as === undefined) return caller.refusals ?? [];
  if (caller.as === 'anonymous') return ['CREDENTIALS_MISSING'];
  const isAllowed =
    caller.as === 'service' ? right.service === true : right.roles.includes(caller.as);
  const isInScope =
    !caller.scopes ||
    right.scope === 'any' ||
    (right.scope !== undefined && caller.scopes.includes(right.scope));
  return isAllowed && isInScope ? 'in' : ['PERMISSION_DENIED'];
}

/** What is wrong with an answer at admission; undefined if nothing is. */
export function checkAtAdmission(
  outcome: Outcome,
  expected: 'in' | readonly string[],
): string | undefined {
  if (outcome.reason === 'INTERNAL' || outcome.reason.startsWith('code ')) {
    return `answered ${outcome.reason}: ${outcome.message}`;
  }
  // A refusal that names a field is about the request: its caller was admitted.
  const isOfCaller = admissionReasons.has(outcome.reason) && !('field' in outcome.metadata);
  if (expected === 'in') {
    return isOfCaller ? `kept out with ${outcome.reason}: ${outcome.message}` : undefined;
  }
  const isExpected = expected.includes(outcome.reason) && !('field' in outcome.metadata);
  if (isExpected && outcome.messages.length === 0) return undefined;
  const got = outcome.code === 0 ? 'admitted' : outcome.reason;
  return `${got} instead of ${expected.join(' or ')}`;
}

export type Cast = {
  readonly callers: readonly Caller[];
  /** What could not be made, for want of an RPC. */
  readonly missing: readonly string[];
  /** How often keys were fetched from the address that forged tokens name. */
  lureVisits(): number;
  stop(): void;
};

const known = (name: string, as: Caller['as'], authorization: string | undefined): Caller => ({
  name,
  as,
  authorization: () => Promise.resolve(authorization),
});

/** All callers: users, services, API keys, and forged credentials. */
export async function cast(
  stage: Stage,
  people: Readonly<Record<'ana' | 'bia' | 'operator' | 'admin', Person>>,
): Promise<Cast> {
  const missing: string[] = [];
  const { ana, bia, operator, admin } = people;
  const signedIn = [ana, bia, operator, admin].map((person): Caller => ({
    name: `${person.role} ${person.name}`,
    as: person.role,
    // In a session of this call's own, which it may end.
    authorization: async () => bearer(await stage.mint.signIn(person.userId, person.role)),
  }));
  const keys = await castKeys(stage, [ana, operator, admin], missing);
  const ended = await castEnded(stage, admin, missing);
  let visits = 0;
  const lure = await startLure(() => (visits += 1));
  const url = `http://127.0.0.1:${(lure.address() as AddressInfo).port}`;
  const forged = (await forge(stage.mint, ana, url)).map(
    ({ name, authorization, reasons }): Caller => ({
      ...known(`forged: ${name}`, undefined, authorization),
      refusals: reasons,
    }),
  );
  const service = known('service', 'service', stage.serviceAuthorization);
  return {
    callers: [
      known('anonymous', 'anonymous', undefined),
      ...signedIn,
      service,
      ...keys,
      ...ended,
      ...forged,
    ],
    missing,
    lureVisits: () => visits,
    stop: () => lure.close(),
  };
}

async function castKeys(
  stage: Stage,
  owners: readonly Person[],
  missing: string[],
): Promise<Caller[]> {
  const callers: Caller[] = [];
  for (const owner of owners) {
    const granted: ApiKeyScope[] = [];
    const add = async (scopes: readonly ApiKeyScope[]): Promise<boolean> => {
      const name = `API key of ${owner.role} ${owner.name} for ${scopes.join(' ')}`;
      const key = await stage.keyOf(owner, { scopes });
      if (!key) missing.push(name);
      else callers.push({ ...known(name, owner.role, bearer(key.secret)), scopes });
      return key !== undefined;
    };
    for (const scope of apiKeyScopes) if (await add([scope])) granted.push(scope);
    if (granted.length > 0) await add(granted);
  }
  return callers;
}

/** Credentials that were good once. */
async function castEnded(stage: Stage, admin: Person, missing: string[]): Promise<Caller[]> {
  const { call, mint } = stage;
  const all = [...apiKeyScopes];
  const ended: Caller[] = [];
  const add = (name: string, credential: string | undefined, refusals: readonly string[]): void => {
    if (credential === undefined) missing.push(name);
    else ended.push({ ...known(name, undefined, bearer(credential)), refusals });
  };
  const asAdmin = bearer(admin.accessToken);
  const run = (method: unknown, request: object, authorization: string) =>
    call(method as AnyMethod, request, authorization);

  const gone = await stage.person('gone', 'admin');
  must(await run(AuthServiceService.signOut, {}, bearer(gone.accessToken)));
  add('signed-out admin', gone.accessToken, ['TOKEN_REVOKED']);

  const browser = { email: admin.email, password, client: '', deviceToken: '', browser: true };
  const opened = await call(AuthServiceService.signIn as unknown as AnyMethod, browser);
  const { browserToken } = must<SignInResponse>(opened);
  add('browser token of an admin', browserToken, ['TOKEN_INVALID']);

  const disabled = await stage.person('disabled', 'admin');
  const keyOfDisabled = await stage.keyOf(disabled, { scopes: all });
  const demoted = await stage.person('demoted', 'admin');
  const setUser = async (userId: string, change: object): Promise<boolean> => {
    const outcome = await run(AuthServiceService.updateUser, { userId, ...change }, asAdmin);
    if (outcome.reason !== 'UNIMPLEMENTED') must(outcome);
    return outcome.code === 0;
  };
  const isDisabled = await setUser(disabled.userId, { disabled: true });
  const isDemoted = await setUser(demoted.userId, { role: roleTable.customer.wireNumber });
  add('disabled admin', isDisabled ? disabled.accessToken : undefined, ['TOKEN_REVOKED']);
  add('demoted admin', isDemoted ? demoted.accessToken : undefined, ['TOKEN_REVOKED']);
  const ofDisabled = isDisabled ? keyOfDisabled?.secret : undefined;
  add('API key of a disabled admin', ofDisabled, ['TOKEN_INVALID', 'TOKEN_REVOKED']);

  const revoked = await stage.keyOf(admin, { scopes: all });
  if (revoked) {
    // Once used, so that the verdict is remembered.
    must(await run(AuthServiceService.getUser, { userId: '' }, bearer(revoked.secret)));
    must(await run(AuthServiceService.revokeApiKey, { apiKeyId: revoked.id }, asAdmin));
  }
  add('revoked API key', revoked?.secret, ['TOKEN_REVOKED']);
  const lifeMs = 3_000;
  const short = await stage.keyOf(admin, { scopes: all, lifeMs });
  if (short) await new Promise((resolve) => setTimeout(resolve, lifeMs + 100));
  add('expired API key', short?.secret, ['TOKEN_EXPIRED']);

  const exp = Math.floor(Date.now() / 1000) - 1;
  const old = await mint.sign({ sub: admin.userId, role: 'admin', iat: exp - 900, exp });
  ended.push({
    ...known('expired token', undefined, bearer(old)),
    refusals: ['TOKEN_EXPIRED'],
  });
  return ended;
}

/** Where the jku and x5u of forged tokens point. */
function startLure(onVisit: () => void): Promise<Server> {
  const server = createServer((_request, response) => {
    onVisit();
    response.end('{"keys":[]}');
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}
