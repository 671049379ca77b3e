import { setTimeout as sleep } from 'node:timers/promises';

import type { Role } from '../../../core/roles.ts';
import { apiKeyScopes, type ApiKeyScope } from '../../../core/scopes.ts';
import type { Policy } from '../../../daemon/platform/access/access.ts';
import type { Route } from '../../../daemon/gateway/http/route.ts';
import { bearer } from '../../support/http/client.ts';
import { send } from '../../support/http/gateway.ts';
import { password } from '../../support/http/people.ts';
import { expectAtAdmission, type Caller } from '../callers.ts';
import type { HttpStage, Who } from './stage.ts';

type Headers = Readonly<Record<string, string>>;

/** How a credential is shown, and where its request says that it comes from. */
export type HttpCaller = Pick<Caller, 'name' | 'as' | 'scopes' | 'refusals'> & {
  readonly form: 'none' | 'bearer' | 'cookie' | 'another scheme';
  readonly isForged: boolean;
  readonly isHostKnown: boolean;
  /** `isOwnSession`: of a session that the request may end. */
  readonly headers: (isOwnSession: boolean) => Promise<Headers>;
};

const anotherHost = { host: 'attacker.example' };
const anotherSite = { origin: 'https://attacker.example' };

/** Where requests come from: [what it is, headers, whether cookies must not work, host known]. */
const ways = (ownOrigin: string): readonly [string, Headers, boolean, boolean][] => [
  ['from a program', {}, false, true],
  ['from its own page', { 'sec-fetch-site': 'same-origin', origin: ownOrigin }, false, true],
  ['with its own Origin', { origin: ownOrigin }, false, true],
  ['with a foreign Origin', anotherSite, true, true],
  ['from another site', { 'sec-fetch-site': 'cross-site', ...anotherSite }, true, true],
  ['from the same site', { 'sec-fetch-site': 'same-site' }, true, true],
  ['under a wrong Host', anotherHost, false, false],
];

/**
 * How the gateway must answer: `in` if the RPC behind the route admits the caller, or one of these
 * reasons. The gateway itself judges only where a cookie comes from; all else is `right`.
 */
export function expectOverHttp(
  route: Route,
  right: Policy,
  caller: HttpCaller,
): 'in' | readonly string[] {
  if (caller.form === 'another scheme') return ['TOKEN_INVALID'];
  const isCookieUsed = caller.form === 'cookie' && route.credential === 'required';
  const startsSession = route.startsSession === true && caller.form !== 'bearer';
  if (isCookieUsed || startsSession) {
    if (!caller.isHostKnown) return ['HOST_UNKNOWN'];
    if (caller.isForged && route.method !== 'GET') return ['ORIGIN_REFUSED'];
  }
  return expectAtAdmission(right, { ...caller, authorization: () => Promise.resolve(undefined) });
}

/** `GET /v1/me` is for any user, with any API key: it shows what the credential is. */
export const anyCredential = (caller: HttpCaller, right: Policy): Policy =>
  right === 'public' || !caller.scopes?.[0] ? right : { ...right, scope: caller.scopes[0] };

/** All callers, in each form of their credentials and from everywhere. */
export async function castOverHttp(stage: HttpStage): Promise<readonly HttpCaller[]> {
  const fromAll = ways(stage.world.url);
  const inAll = (
    name: string,
    form: HttpCaller['form'],
    known: Pick<Caller, 'as' | 'scopes' | 'refusals'>,
    show: (isOwnSession: boolean) => Promise<Headers>,
  ): HttpCaller[] =>
    fromAll.map(([from, headers, isForged, isHostKnown]) => ({
      ...{ name: `${name} ${from}`, form, isForged, isHostKnown },
      ...known,
      headers: async (isOwnSession) => ({ ...(await show(isOwnSession)), ...headers }),
    }));
  const { people } = stage;
  const users = Object.entries(people).flatMap(([name, who]) => {
    const as = who.role;
    return [
      ...inAll(`${as} ${name} with an access token`, 'bearer', { as }, async (isOwn) =>
        bearer(isOwn ? (await stage.signIn(who.email)).accessToken : who.token),
      ),
      ...inAll(`${as} ${name} with a cookie`, 'cookie', { as }, async (isOwn) => ({
        cookie: isOwn ? await stage.signInBrowser(who.email) : who.cookie,
      })),
    ];
  });
  return [
    ...inAll('no credential', 'none', { as: 'anonymous' }, () => Promise.resolve({})),
    ...users,
    ...(await castKeys(stage)),
    ...(await castRefused(stage)),
  ];
}

const one = (
  name: string,
  form: HttpCaller['form'],
  headers: Headers,
  known: Pick<Caller, 'as' | 'scopes' | 'refusals'>,
): HttpCaller => ({
  ...{ name, form, isForged: false, isHostKnown: true, ...known },
  headers: () => Promise.resolve(headers),
});

/** Scopes that the role of an owner allows: no more than it has itself. */
const scopesOf = (role: Role): readonly ApiKeyScope[] =>
  role === 'customer'
    ? apiKeyScopes.filter((scope) => !/^(dead-letters|users)/.test(scope))
    : apiKeyScopes;

async function castKeys(stage: HttpStage): Promise<HttpCaller[]> {
  const callers: HttpCaller[] = [];
  const { ana, operator, admin } = stage.people;
  for (const owner of [ana, operator, admin]) {
    const all = scopesOf(owner.role);
    for (const scopes of [...all.map((scope) => [scope]), all]) {
      const { secret } = await stage.createKey(owner, scopes);
      const name = `API key of ${owner.role} for ${scopes.join(' ')}`;
      callers.push(one(name, 'bearer', bearer(secret), { as: owner.role, scopes }));
    }
  }
  return callers;
}

/** Credentials that were good once, and those that never were. */
async function castRefused(stage: HttpStage): Promise<HttpCaller[]> {
  const { admin } = stage.people;
  const refused = (name: string, headers: Headers, refusals: readonly string[]): HttpCaller =>
    one(name, 'cookie' in headers ? 'cookie' : 'bearer', headers, { as: undefined, refusals });
  const revoked = ['TOKEN_REVOKED'];
  const invalid = ['TOKEN_INVALID'];
  // A kept access token is refused as revoked, and the cookie then as that of no session.
  const over = ['TOKEN_INVALID', 'TOKEN_REVOKED', 'TOKEN_EXPIRED'];

  const short = await stage.createKey(admin, apiKeyScopes, 1_500);
  const gone = await stage.enter('admin');
  await stage.must('POST', '/auth/sign-out', { headers: bearer(gone.token), body: {} });
  await stage.must('POST', '/auth/sign-out', { headers: { cookie: gone.cookie }, body: {} });
  const disabled = await stage.enter('admin');
  const keyOfDisabled = await stage.createKey(disabled, apiKeyScopes);
  await setUser(stage, disabled, { disabled: true });
  const demoted = await stage.enter('admin');
  await setUser(stage, demoted, { role: 'customer' });
  const key = await stage.createKey(admin, apiKeyScopes);
  await stage.must('GET', '/v1/me', { headers: bearer(key.secret) });
  await stage.must('DELETE', `/v1/api-keys/${key.id}`, { headers: bearer(admin.token) });
  const good = await stage.createKey(admin, apiKeyScopes);
  const { refreshToken } = await stage.signIn(admin.email);
  await sleep(Math.max(0, short.expiresAtMs + 100 - Date.now()));
  const token = (cookie: string): string => cookie.slice('token='.length);
  const scheme = (name: string, authorization: string): HttpCaller =>
    one(name, 'another scheme', { authorization }, { as: undefined });
  return [
    refused('signed-out admin', bearer(gone.token), revoked),
    refused('cookie of a signed-out admin', { cookie: gone.cookie }, over),
    refused('disabled admin', bearer(disabled.token), revoked),
    refused('cookie of a disabled admin', { cookie: disabled.cookie }, over),
    refused('API key of a disabled admin', bearer(keyOfDisabled.secret), over),
    refused('demoted admin', bearer(demoted.token), revoked),
    {
      ...one('cookie of a demoted admin', 'cookie', {}, { as: 'customer' }),
      headers: async (isOwn) => ({
        cookie: isOwn ? await stage.signInBrowser(demoted.email) : demoted.cookie,
      }),
    },
    refused('revoked API key', bearer(key.secret), revoked),
    refused('expired API key', bearer(short.secret), ['TOKEN_EXPIRED']),
    refused('an API key as a cookie', { cookie: `token=${good.secret}` }, invalid),
    refused('an access token as a cookie', { cookie: `token=${admin.token}` }, invalid),
    refused('a cookie as an access token', bearer(token(admin.cookie)), invalid),
    refused('a refresh token as an access token', bearer(refreshToken), invalid),
    refused('a made-up cookie', { cookie: `token=dws_${'A'.repeat(43)}` }, invalid),
    refused('a made-up access token', bearer('a.b.c'), invalid),
    scheme('service', `Service ${stage.world.services.serviceCredential}`),
    scheme('a password', `Basic ${btoa(`${admin.email}:${password}`)}`),
    scheme('an empty access token', 'Bearer'),
    one('an empty cookie', 'none', { cookie: 'token=' }, { as: 'anonymous' }),
  ];
}

async function setUser(stage: HttpStage, { id }: Who, change: object): Promise<void> {
  const headers = { ...bearer(stage.people.admin.token), 'content-type': 'application/json' };
  const answer = await send(stage.world.url, 'PATCH', `/v1/users/${id}`, { headers, body: change });
  if (answer.status !== 200) throw new Error(answer.text);
}
