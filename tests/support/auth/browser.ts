import {
  AuthServiceService as rpc,
  SignInRequest,
  type ExchangeSessionResponse,
  type SignInResponse,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { bearerOf, valueOf } from './people.ts';
import type { Answer, AuthServer } from './server.ts';
import { password } from './totp.ts';

export type BrowserSession = {
  readonly token: string;
  readonly sessionId: string;
  readonly signedIn: SignInResponse;
};

/** Browser sessions on an auth server of a test. */
export function createBrowsers(server: () => AuthServer) {
  const trySignIn = (email: string, more: Partial<SignInRequest> = {}) => {
    const request = SignInRequest.fromPartial({ email, password, browser: true, ...more });
    return server().call(rpc.signIn, request);
  };
  const open = async (email: string, more?: Partial<SignInRequest>): Promise<BrowserSession> => {
    const signedIn = valueOf(await trySignIn(email, more));
    const { browserToken, tokens } = signedIn;
    if (browserToken === undefined || !tokens) throw new Error('a sign-in without browser token');
    return { token: browserToken, sessionId: tokens.sessionId, signedIn };
  };
  const exchange = (
    browserToken: string,
    on = server(),
  ): Promise<Answer<ExchangeSessionResponse>> =>
    on.call(rpc.exchangeSession, { browserToken }, on.serviceAuthorization);
  /** What to send as authorization, from an exchange. */
  const bearerFor = async ({ token }: BrowserSession): Promise<string> => {
    const { tokens } = valueOf(await exchange(token));
    if (!tokens) throw new Error('an exchange without tokens');
    return bearerOf(tokens);
  };
  return { trySignIn, open, exchange, bearerFor };
}
