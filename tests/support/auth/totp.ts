import { createHmac } from 'node:crypto';

import { AuthServiceService as rpc } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { valueOf, type SignedInUser } from './people.ts';
import type { AuthServer } from './server.ts';

/** Base 32 (RFC 4648) to bytes. */
function decodeBase32(text: string): Buffer {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  let bits = '';
  for (const letter of text) bits += letters.indexOf(letter).toString(2).padStart(5, '0');
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((eight) => parseInt(eight, 2)));
}

/** What an authenticator app shows: written apart from the product's own code. */
export function appCode(secret: string, offsetSteps = 0, nowMs = Date.now()): string {
  const message = Buffer.alloc(8);
  message.writeUInt32BE(Math.floor(nowMs / 30_000) + offsetSteps, 4);
  const mac = createHmac('sha1', decodeBase32(secret)).update(message).digest();
  const [a = 0, b = 0, c = 0, d = 0] = mac.subarray((mac[19] ?? 0) & 15);
  const number = ((a & 127) * 2 ** 24 + b * 2 ** 16 + c * 2 ** 8 + d) % 1_000_000;
  return number.toString().padStart(6, '0');
}

/** A code that is not that of the steps around now. */
export function wrongCode(secret: string): string {
  const right = new Set([-2, -1, 0, 1, 2].map((offset) => appCode(secret, offset)));
  for (let n = 0; ; n += 1) {
    const code = n.toString().padStart(6, '0');
    if (!right.has(code)) return code;
  }
}

export const password = 'correct horse battery';

export type Enrolled = SignedInUser & {
  readonly secret: string;
  readonly recoveryCodes: readonly string[];
};

/** Enrols a user in TOTP, and returns an access token that was issued after it. */
export async function enrol(server: AuthServer, user: SignedInUser): Promise<Enrolled> {
  const { secret } = valueOf(await server.call(rpc.beginTotp, { password }, user.bearer));
  const request = { code: appCode(secret) };
  const { recoveryCodes } = valueOf(await server.call(rpc.enableTotp, request, user.bearer));
  const { refreshToken } = user.tokens;
  const { tokens } = valueOf(await server.call(rpc.refreshSession, { refreshToken }));
  if (!tokens) throw new Error('a refresh without tokens');
  return { ...user, secret, recoveryCodes, tokens, bearer: `Bearer ${tokens.accessToken}` };
}

/** Waits past the end of a time step that is near, for codes of the step before. */
export async function waitForRoom(): Promise<void> {
  const leftMs = 30_000 - (Date.now() % 30_000);
  if (leftMs < 10_000) await new Promise((resolve) => setTimeout(resolve, leftMs + 100));
}

/** Forgets which code was used last and which were wrong, as time does. */
export async function forget(server: AuthServer, { id }: SignedInUser): Promise<void> {
  const text = `UPDATE totp_secrets SET last_step = NULL, failed_at_ms = '{}' WHERE user_id = $1`;
  await server.database.query(text, [id]);
}
