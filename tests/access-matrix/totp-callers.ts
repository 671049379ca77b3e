import type { Role } from '../../core/roles.ts';
import { apiKeyScopes } from '../../core/scopes.ts';
import type { Policy } from '../../daemon/platform/access/access.ts';
import {
  AuthServiceService as rpc,
  type ExchangeSessionResponse,
  type SignInResponse,
} from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { AnyMethod, Outcome } from '../support/grpc/any-call.ts';
import { appCode } from '../support/auth/totp.ts';
import { password } from '../support/processes/world.ts';
import { expectAtAdmission, type Caller } from './callers.ts';
import { bearer, must, type Person, type Stage } from './people.ts';

/** Whether the daemon runs with STAFF_TOTP=optional or =required. */
export type Mode = 'optional' | 'required';

/** A caller, and whether there is a second factor behind the credential. */
export type TotpCaller = Caller & { readonly hasTotp: boolean; readonly isKey: boolean };

type Call = (method: unknown, request: object, authorization?: string) => Promise<Outcome>;

/**
 * What admission must answer, written down a second time beside `daemon/platform/access/access.ts`.
 */
export function expectWithTotp(
  right: Policy,
  caller: TotpCaller,
  mode: Mode,
): 'in' | readonly string[] {
  const mustEnrol = mode === 'required' && caller.as !== 'customer' && !caller.hasTotp;
  if (caller.as === undefined || right === 'public' || !mustEnrol) {
    return expectAtAdmission(right, caller);
  }
  return right.enrolling && !caller.isKey ? 'in' : ['TOTP_ENROLMENT_REQUIRED'];
}

/** A user with a second factor, its secret and its recovery codes. */
export type EnrolledPerson = Person & {
  readonly secret: string;
  readonly recoveryCodes: readonly string[];
};

export const createCall =
  (stage: Stage): Call =>
  (method, request, authorization) =>
    stage.call(method as AnyMethod, request, authorization);

/** Gives a person a second factor, in the session that they have. */
export async function enrolPerson(call: Call, person: Person): Promise<EnrolledPerson> {
  const authorization = bearer(person.accessToken);
  const begun = await call(rpc.beginTotp, { password }, authorization);
  const { secret } = must<{ secret: string }>(begun);
  const enabled = await call(rpc.enableTotp, { code: appCode(secret) }, authorization);
  const { recoveryCodes } = must<{ recoveryCodes: string[] }>(enabled);
  return { ...(await refreshPerson(call, person)), secret, recoveryCodes };
}

/** The same person, with the token that a refresh gives now. */
async function refreshPerson<P extends Person>(call: Call, person: P): Promise<P> {
  const { refreshToken } = person;
  const { tokens } = must<SignInResponse>(await call(rpc.refreshSession, { refreshToken }));
  if (!tokens) throw new Error('a refresh without tokens');
  return { ...person, accessToken: tokens.accessToken, refreshToken: tokens.refreshToken };
}

/** The access token of a browser session, as the gateway gets it; `token` is its browser token. */
async function exchangeBrowserToken(stage: Stage, token: string): Promise<string> {
  const request = { browserToken: token };
  const exchanged = await createCall(stage)(
    rpc.exchangeSession,
    request,
    stage.serviceAuthorization,
  );
  return must<ExchangeSessionResponse>(exchanged).tokens?.accessToken ?? '';
}

async function openBrowserSession(stage: Stage, who: Person, totpCode?: string): Promise<string> {
  const request = { email: who.email, password, client: 'browser', deviceToken: '', browser: true };
  const signedIn = await createCall(stage)(rpc.signIn, { ...request, totpCode });
  return must<SignInResponse>(signedIn).browserToken ?? '';
}

const caller = (name: string, as: Role, token: string, hasTotp: boolean): TotpCaller => ({
  ...{ name, as, hasTotp, isKey: false },
  authorization: () => Promise.resolve(bearer(token)),
});

/** Callers of one role: in each state of the second factor, by session and by API key. */
export async function castRole(stage: Stage, role: Role): Promise<readonly TotpCaller[]> {
  const call = createCall(stage);
  const plain = await stage.person(`plain-${role}`, role);
  const before = await stage.person(`enrolled-${role}`, role);
  const second = must<SignInResponse>(
    await call(rpc.signIn, { email: before.email, password, client: 'second', deviceToken: '' }),
  );
  const browsers = {
    plain: await exchangeBrowserToken(stage, await openBrowserSession(stage, plain)),
    before: await exchangeBrowserToken(stage, await openBrowserSession(stage, before)),
  };
  const keys = [await castKey(stage, plain, false), await castKey(stage, before, true)];
  const enrolled = await enrolPerson(call, before);
  const [browserCode] = enrolled.recoveryCodes;
  const withCode = await openBrowserSession(stage, before, browserCode);
  const left = await enrolPerson(call, await stage.person(`left-${role}`, role));
  const [code] = left.recoveryCodes;
  must(await call(rpc.disableTotp, { password, code }, bearer(left.accessToken)));
  const disabled = await refreshPerson(call, left);
  const ended = (name: string, token: string): TotpCaller => ({
    ...caller(name, role, token, false),
    ...{ as: undefined, refusals: ['TOKEN_REVOKED'] },
  });
  return [
    caller(`${role} without a second factor`, role, plain.accessToken, false),
    caller(`${role} with a second factor`, role, enrolled.accessToken, true),
    caller(`${role} who disabled it`, role, disabled.accessToken, false),
    caller(`${role} in a browser without a second factor`, role, browsers.plain, false),
    caller(
      `${role} in a browser with a second factor`,
      role,
      await exchangeBrowserToken(stage, withCode),
      true,
    ),
    ended(`${role}, browser session from before enrolling`, browsers.before),
    { ...ended(`${role}, browser token itself`, withCode), refusals: ['TOKEN_INVALID'] },
    ended(`${role}, token from before enrolling`, before.accessToken),
    ended(`${role}, other session from before enrolling`, second.tokens?.accessToken ?? ''),
    ended(`${role}, token from before disabling`, left.accessToken),
    ...keys,
  ];
}

async function castKey(stage: Stage, owner: Person, hasTotp: boolean): Promise<TotpCaller> {
  const isStaff = owner.role !== 'customer';
  const ofStaff = new Set(['users:read', 'dead-letters:read', 'dead-letters:write']);
  const scopes = apiKeyScopes.filter((scope) => isStaff || !ofStaff.has(scope));
  const key = await stage.keyOf(owner, { scopes });
  if (!key) throw new Error(`no API key for ${owner.name}`);
  const name = `API key of a ${owner.role} ${hasTotp ? 'with' : 'without'} a second factor`;
  return { ...caller(name, owner.role, key.secret, hasTotp), scopes, isKey: true };
}
