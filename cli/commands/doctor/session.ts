import {
  AuthServiceService,
  type ValidateTokenResponse,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { nameRole } from '../../../lib/json/names.ts';
import type { Context } from '../../context.ts';
import type { Credential } from '../../credentials/session.ts';
import { settle } from './settle.ts';
import { ok, skipped, toProblem, warning, type Finding } from './finding.ts';

const dayMs = 86_400_000;

type Checked = { readonly findings: readonly Finding[]; readonly token: string | undefined };

/** Who is signed in, with which role and until when; as the server sees it, if it can be asked. */
export async function checkSession(context: Context, canAsk: boolean): Promise<Checked> {
  const { credentials, account, accounts, environment } = context;
  const record = await accounts.find(account).catch(() => undefined);
  if (environment.token === undefined && !record) {
    const fix = 'wallet sign-in';
    return without(skipped('session', `not signed in as ${account}`, { fix }));
  }
  if (!canAsk) {
    const isStored = environment.token === undefined;
    const who = (isStored && (record?.email ?? record?.userId)) || 'the owner of WALLET_TOKEN';
    return without(skipped('session', `${who}: not verified, since the server cannot be asked`));
  }
  const held = await settle(credentials.get());
  if (!held.ok) return without(toProblem('session', held));
  const { token } = held.value;
  const request = { accessToken: token };
  const asked = await context.caller.call(AuthServiceService.validateToken, request, 'read');
  if (!asked.ok) return without(toProblem('session', asked));
  return { findings: [describeSession(context, held.value, asked.value)], token };
}

const without = (finding: Finding): Checked => ({ findings: [finding], token: undefined });

function describeSession(
  { clock }: Context,
  { record, source, sessionExpiresAtMs }: Credential,
  { userId, role, expiresAt, apiKey }: ValidateTokenResponse,
): Finding {
  const roleName = nameRole(role);
  const who = record?.email ?? userId;
  const how = apiKey ? `API key ${apiKey.name}` : source;
  const endsAtMs = sessionExpiresAtMs ?? (expiresAt ?? apiKey?.expiresAt)?.getTime();
  const until = endsAtMs === undefined ? '' : `, until ${new Date(endsAtMs).toISOString()}`;
  const details = {
    ...{ userId, role: roleName, source },
    expiresAt: endsAtMs === undefined ? null : new Date(endsAtMs).toISOString(),
  };
  const message = `${who}, ${roleName} (${how})${until}`;
  const isEnding = endsAtMs !== undefined && endsAtMs - clock.now() < dayMs;
  const isShort = sessionExpiresAtMs === undefined && !apiKey;
  if (!isEnding || isShort) return ok('session', message, { details });
  const fix = apiKey ? 'wallet api-keys create' : 'wallet sign-in';
  return warning('session', `${message}: less than a day`, { fix, details });
}
