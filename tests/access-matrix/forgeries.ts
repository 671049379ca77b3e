import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  randomUUID,
  type KeyObject,
} from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { calculateJwkThumbprint, SignJWT } from 'jose';
import pg from 'pg';

import type { Role } from '../../core/roles.ts';
import { tokenRules } from '../../daemon/platform/access/tokens.ts';
import { readUrls } from '../support/ledger/ledger.ts';

type Claims = Readonly<Record<string, unknown>>;
type Header = Readonly<Record<string, unknown>>;

/** The daemon's own signing key, taken from its data folder: what a thief of the key could do. */
export type Mint = {
  readonly publicKey: KeyObject;
  readonly kid: string;
  /** An access token like the daemon's, with these claims instead; undefined leaves one out. */
  sign(claims: Claims, header?: Header): Promise<string>;
  /** A good token of this user, in a session that only this token knows of. */
  tokenOf(userId: string, role: Role): Promise<string>;
  /** A good token of this user, in a session that is really there. */
  signIn(userId: string, role: Role): Promise<string>;
  close(): Promise<void>;
};

/**
 * Old, so that the limit of sessions of a user ends these and no others. A token of an earlier
 * generation than its user's is revoked.
 */
const insertSession = `WITH inserted AS (
    INSERT INTO sessions (id, user_id, client, created_at, expires_at)
    VALUES ($1, $2, 'test', '2020-01-01Z', clock_timestamp() + interval '1 day'))
  SELECT token_generation AS generation FROM users WHERE id = $2`;

export async function createMint(dataDir: string): Promise<Mint> {
  const privateKey = createPrivateKey(await readFile(join(dataDir, 'signing-key.pem'), 'utf8'));
  const publicKey = createPublicKey(privateKey);
  const { kty = '', crv = '', x = '' } = publicKey.export({ format: 'jwk' });
  const kid = await calculateJwkThumbprint({ kty, crv, x });
  const sign = (claims: Claims, header: Header = {}): Promise<string> =>
    signWith(privateKey, claims, { kid, ...header });
  const { owner } = await readUrls(dataDir);
  const auth = new pg.Pool({ connectionString: owner('auth'), max: 1 });
  auth.on('error', () => undefined);
  return {
    publicKey,
    kid,
    sign,
    tokenOf: (userId, role) => sign({ sub: userId, role }),
    signIn: async (userId, role) => {
      const sid = randomUUID();
      const { rows } = await auth.query<{ generation: string }>(insertSession, [sid, userId]);
      return sign({ sub: userId, role, sid, gen: Number(rows[0]?.generation) });
    },
    close: () => auth.end(),
  };
}

const nowSeconds = (): number => Date.now() / 1000;

function claimsOf(changes: Claims): Claims {
  return {
    iss: tokenRules.issuer,
    aud: tokenRules.audience,
    sid: randomUUID(),
    iat: nowSeconds(),
    // As long as the daemon believes: its tokens live 15 minutes, and its clock may step by as
    // much.
    exp: Math.floor(nowSeconds()) + 1_700,
    ...changes,
  };
}

function signWith(key: KeyObject, changes: Claims, header: Header): Promise<string> {
  const jwt = new SignJWT(JSON.parse(JSON.stringify(claimsOf(changes))) as Record<string, unknown>);
  const whole = { alg: tokenRules.algorithm, typ: tokenRules.type, ...header };
  return jwt.setProtectedHeader(JSON.parse(JSON.stringify(whole)) as typeof whole).sign(key);
}

const encode = (part: unknown): string => Buffer.from(JSON.stringify(part)).toString('base64url');

/** A credential that must be refused, and the reasons to expect. */
export type Forgery = {
  readonly name: string;
  readonly authorization: string;
  readonly reasons: readonly string[];
};

type Victim = {
  readonly userId: string;
  readonly accessToken: string;
  readonly refreshToken: string;
};

/**
 * Credentials that an attacker could invent, change, or take from another place. `lureUrl` is an
 * address where the caller sees whether keys are fetched.
 */
export async function forge(mint: Mint, victim: Victim, lureUrl: string): Promise<Forgery[]> {
  const bearers = [
    ...(await forgeAlgorithms(mint, victim)),
    ...(await forgeKeys(mint, victim, lureUrl)),
    ...(await forgeClaims(mint, victim)),
    ...changeToken(victim),
    ...guessKeys(),
  ];
  return [
    ...bearers.map(([name, token, reason = 'TOKEN_INVALID']) => ({
      name,
      authorization: `Bearer ${token}`,
      reasons: [reason],
    })),
    ...useOtherSchemes(victim),
  ];
}

type Named = readonly [name: string, token: string, reason?: string];

async function forgeAlgorithms(mint: Mint, { userId }: Victim): Promise<Named[]> {
  const { publicKey, kid } = mint;
  const payload = encode(claimsOf({ sub: userId, role: 'admin' }));
  const unsigned = ['none', 'None', 'NONE', 'nOnE', ''].flatMap((alg): Named[] => {
    const body = `${encode({ alg, typ: tokenRules.type, kid })}.${payload}`;
    return [
      [`alg "${alg}" without a signature`, `${body}.`],
      [`alg "${alg}" with some signature`, `${body}.${randomBytes(64).toString('base64url')}`],
    ];
  });
  const jwk = publicKey.export({ format: 'jwk' });
  const secrets: readonly (readonly [string, Buffer])[] = [
    ['PEM', Buffer.from(publicKey.export({ type: 'spki', format: 'pem' }))],
    ['PEM without its last line end', trimmed(publicKey)],
    ['DER', publicKey.export({ type: 'spki', format: 'der' })],
    ['raw bytes', Buffer.from(jwk.x ?? '', 'base64url')],
    ['x in text', Buffer.from(jwk.x ?? '')],
    ['JWK in text', Buffer.from(JSON.stringify(jwk))],
    ['empty secret', Buffer.alloc(0)],
  ];
  const hashes = ['sha256', 'sha384', 'sha512'] as const;
  const macs = secrets.flatMap(([what, secret]) =>
    hashes.map((hash): Named => {
      const alg = `HS${hash.slice(3)}`;
      const body = `${encode({ alg, typ: tokenRules.type, kid })}.${payload}`;
      const mac = createHmac(hash, secret).update(body).digest('base64url');
      return [`${alg} over the public key as ${what}`, `${body}.${mac}`];
    }),
  );
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const es256 = await signWith(privateKey, { sub: userId, role: 'admin' }, { alg: 'ES256', kid });
  return [...unsigned, ...macs, ['ES256 by another key', es256]];
}

const trimmed = (key: KeyObject): Buffer =>
  Buffer.from(key.export({ type: 'spki', format: 'pem' }).toString().trim());

async function forgeKeys(mint: Mint, { userId }: Victim, lureUrl: string): Promise<Named[]> {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const jwk = publicKey.export({ format: 'jwk' });
  const claims = { sub: userId, role: 'admin' };
  const other = (header: Header) => signWith(privateKey, claims, header);
  const kids = [
    '../../../../../../dev/null',
    '/proc/self/environ',
    'file:///etc/passwd',
    "' OR '1'='1",
    "x' UNION SELECT 'AAAA'; --",
    '$(id)',
    '',
    'k'.repeat(4_096),
    '__proto__',
  ];
  const named = await Promise.all(
    kids.flatMap((kid) => [
      other({ kid }).then((token): Named => [`another key, kid ${kid.slice(0, 30)}`, token]),
      mint
        .sign(claims, { kid })
        .then((token): Named => [`the right key, kid ${kid.slice(0, 30)}`, token]),
    ]),
  );
  return [
    ...named,
    ['another Ed25519 key with the right kid', await other({ kid: mint.kid })],
    ['another Ed25519 key without kid', await other({})],
    ['jwk in the header', await other({ jwk })],
    ['jwk in the header, the right kid', await other({ jwk, kid: mint.kid })],
    ['jku', await other({ jku: `${lureUrl}/jwks`, kid: 'lure' })],
    ['jku, the right kid', await other({ jku: `${lureUrl}/jwks`, kid: mint.kid })],
    ['x5u', await other({ x5u: `${lureUrl}/cert`, kid: 'lure' })],
    ['x5c', await other({ x5c: [randomBytes(64).toString('base64')], kid: mint.kid })],
    ['crit', await mint.sign(claims, { crit: ['exp'], exp: 1 }).catch(() => 'e30.e30.x')],
  ];
}

async function forgeClaims({ sign }: Mint, { userId }: Victim): Promise<Named[]> {
  const good = { sub: userId, role: 'admin' };
  const past = Math.floor(nowSeconds()) - 60;
  const wrong: readonly (readonly [string, Claims, Header?])[] = [
    ['wrong iss', { ...good, iss: 'another-issuer' }],
    ['no iss', { ...good, iss: undefined }],
    ['wrong aud', { ...good, aud: 'another-service' }],
    ['no aud', { ...good, aud: undefined }],
    ['typ JWT', good, { typ: 'JWT' }],
    ['no typ', good, { typ: undefined }],
    ['no exp', { ...good, exp: undefined }],
    ['exp in text', { ...good, exp: '9999999999' }],
    ['no iat', { ...good, iat: undefined }],
    ['not yet', { ...good, nbf: Math.floor(nowSeconds()) + 3_600 }],
    ['no sub', { role: 'admin' }],
    ['sub is no id', { sub: "x' OR 1=1 --", role: 'admin' }],
    ['sub in capitals', { ...good, sub: userId.toUpperCase() }],
    ['no sid', { ...good, sid: undefined }],
    ['sid is no id', { ...good, sid: '*' }],
    ['no role', { sub: userId }],
    ['unknown role', { ...good, role: 'root' }],
    ['list of roles', { ...good, role: ['admin'] }],
    ['role service', { ...good, role: 'service' }],
  ];
  const signed = wrong.map(async ([name, claims, header]): Promise<Named> => [
    `the right key, ${name}`,
    await sign(claims, header),
  ]);
  const old = await sign({ ...good, iat: past - 900, exp: past });
  return [...(await Promise.all(signed)), ['the right key, expired', old, 'TOKEN_EXPIRED']];
}

function changeToken({ accessToken, refreshToken }: Victim): Named[] {
  const [header = '', payload = '', signature = ''] = accessToken.split('.');
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Claims;
  const flipped = Buffer.from(signature, 'base64url');
  flipped[0] = (flipped[0] ?? 0) ^ 1;
  return [
    ['changed role', `${header}.${encode({ ...claims, role: 'admin' })}.${signature}`],
    ['changed sub', `${header}.${encode({ ...claims, sub: randomUUID() })}.${signature}`],
    ['longer life', `${header}.${encode({ ...claims, exp: 9_999_999_999 })}.${signature}`],
    ['one bit of the signature', `${header}.${payload}.${flipped.toString('base64url')}`],
    ['no signature', `${header}.${payload}.`],
    ['two parts', `${header}.${payload}`],
    ['five parts', `${header}.${payload}.${signature}.x.y`],
    ['half of it', accessToken.slice(0, accessToken.length / 2)],
    ['refresh token', refreshToken],
    ['a list', '[]'],
    ['garbage', 'garbage'],
    ['dots', '...'],
    ['huge', `eyJ${'A'.repeat(8_000)}`],
  ];
}

function guessKeys(): Named[] {
  return [
    ['API key, its prefix alone', 'dwk_'],
    ['API key, random', `dwk_${randomBytes(32).toString('base64url')}`],
    ['API key, SQL', "dwk_'--"],
    ['API key, wildcard', 'dwk_%'],
    ['API key, an id', `dwk_${randomUUID()}`],
    ['API key, huge', `dwk_${'A'.repeat(8_000)}`],
    ['browser token, its prefix alone', 'dws_'],
    ['browser token, random', `dws_${randomBytes(32).toString('base64url')}`],
  ];
}

function useOtherSchemes({ accessToken, refreshToken }: Victim): Forgery[] {
  const tokenInvalid = [
    ['empty Bearer', 'Bearer'],
    ['no scheme', accessToken],
    ['Basic', `Basic ${Buffer.from('admin:admin').toString('base64')}`],
    ['Basic with a token', `Basic ${accessToken}`],
    ['Token', `Token ${accessToken}`],
    ['two blanks', `Bearer  ${accessToken}`],
    ['Service and nothing', 'Service'],
    ['Service, guessed', 'Service secret'],
    ['Service, long guess', `Service ${randomBytes(32).toString('base64url')}`],
    ["Service with a user's token", `Service ${accessToken}`],
    ['Service with a refresh token', `Service ${refreshToken}`],
    ['service in small letters', 'service undefined'],
    ['Service, the word undefined', 'Service undefined'],
    ['Service as Bearer', 'Bearer Service'],
  ] as const;
  // HTTP/2 drops a value that ends with a blank, before the daemon reads it.
  const dropped = { name: 'Bearer and a blank', authorization: 'Bearer ' };
  return [
    { ...dropped, reasons: ['TOKEN_INVALID', 'CREDENTIALS_MISSING'] },
    ...tokenInvalid.map(([name, authorization]) => ({
      name,
      authorization,
      reasons: ['TOKEN_INVALID'],
    })),
  ];
}
