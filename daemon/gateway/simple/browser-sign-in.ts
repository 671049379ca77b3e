import {
  AuthServiceService as auth,
  SignInRequest,
  type User,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { fault, found, type Found } from '../http/problems.ts';
import type { ServiceCall } from '../http/route.ts';
import { userOf } from '../routes/account-shapes.ts';

export type BrowserSignIn = {
  readonly user: User;
  readonly session: { readonly token: string; readonly maxAgeSeconds: number };
};

/** Opens a session whose token does not change, for a cookie that no script can read. */
export async function signInBrowser(
  call: ServiceCall,
  person: {
    readonly email: string;
    readonly password: string;
    readonly totpCode?: string | undefined;
  },
  client: string | undefined,
): Promise<Found<BrowserSignIn>> {
  const request = {
    ...person,
    browser: true,
    client: (client ?? '').replace(/[^\x20-\x7e]/g, '').slice(0, 100),
  };
  const signedIn = await call('auth', auth.signIn, SignInRequest.fromPartial(request));
  if (!signedIn.ok) return signedIn;
  const { browserToken: token, tokens } = signedIn.value;
  if (token === undefined || token === '') {
    const message = 'the auth service opens no sessions for browsers: update it';
    return { ok: false, fault: fault('UNIMPLEMENTED', message) };
  }
  const lifeMs = (tokens?.sessionExpiresAt?.getTime() ?? 0) - Date.now();
  const maxAgeSeconds = Math.max(1, Math.floor(lifeMs / 1_000));
  return found({ user: userOf(signedIn.value), session: { token, maxAgeSeconds } });
}
