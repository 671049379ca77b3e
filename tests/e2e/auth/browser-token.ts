import {
  AuthServiceService as rpc,
  type ExchangeSessionResponse,
  type SignInResponse,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Outcome } from '../../support/grpc/any-call.ts';

type Call = (method: unknown, request: object, authorization?: string) => Promise<Outcome>;

/** Signs in as a browser, and exchanges the token as a service does. */
export async function openBrowserSession(
  call: Call,
  account: { readonly email: string; readonly password: string },
  serviceAuthorization: string,
): Promise<{ readonly browserToken: string; readonly accessToken: string }> {
  const opened = await call(rpc.signIn, {
    ...account,
    ...{ client: 'browser', deviceToken: '', browser: true },
  });
  const { browserToken } = (opened.messages[0] ?? {}) as Partial<SignInResponse>;
  if (browserToken === undefined) throw new Error(`no browser token: ${opened.reason}`);
  const exchanged = await call(rpc.exchangeSession, { browserToken }, serviceAuthorization);
  const { tokens } = (exchanged.messages[0] ?? {}) as Partial<ExchangeSessionResponse>;
  if (!tokens) throw new Error(`no access token: ${exchanged.reason}`);
  return { browserToken, accessToken: tokens.accessToken };
}

/** Sends a browser token in place of every other credential, and exchanges a changed one. */
export async function misplaceBrowserToken(
  call: Call,
  token: string,
  serviceAuthorization: string,
): Promise<void> {
  const changed = `${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`;
  await call(rpc.exchangeSession, { browserToken: changed }, serviceAuthorization);
  await call(rpc.exchangeSession, { browserToken: `${token}x` }, serviceAuthorization);
  await call(rpc.exchangeSession, { browserToken: token });
  await call(rpc.validateToken, { accessToken: token });
  await call(rpc.refreshSession, { refreshToken: token });
  await call(rpc.getUser, { userId: '' }, `Bearer ${token}`);
  await call(rpc.getUser, { userId: '' }, `Service ${token}`);
}
