import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

import type { FastifyRequest } from 'fastify';

import { findOrigin, type Origin } from '../../platform/grpc/ingress/forwarding.ts';
import { findSource, loopback, type AddressSet } from '../../platform/grpc/ingress/source.ts';
import { fault, type Fault } from './problems.ts';

/** Where a request came from. */
export type Ingress = {
  readonly requestId: string;
  readonly source: string;
  readonly origin: Origin;
  readonly isTls: boolean;
};

/** The client's own request id where it is harmless to log, otherwise a new one. */
export const requestIdOf = ({ 'x-request-id': given }: IncomingHttpHeaders): string =>
  typeof given === 'string' && /^[A-Za-z0-9_-]{8,64}$/.test(given) ? given : randomUUID();

/** By the socket, past the proxies that are trusted. */
export function ingressOf(request: FastifyRequest, proxies: AddressSet): Ingress {
  const { headers, socket, id } = request;
  const peer = socket.remoteAddress ?? '';
  const forwarded = headers['x-forwarded-for'];
  const forwardedFor = forwarded === undefined ? [] : [forwarded].flat();
  const isTrusted = proxies.has(peer);
  const isProxyTls = isTrusted && headers['x-forwarded-proto'] === 'https';
  return {
    requestId: id,
    source: findSource(peer, forwardedFor, proxies),
    origin: findOrigin(loopback.has(peer), headers, headers.host),
    isTls: 'encrypted' in socket || isProxyTls,
  };
}

/** The name of the session cookie; that of the system after which the simple API is made. */
export const sessionCookie = 'token';

/**
 * The different values of the cookies with a name. There are two where another site of the same
 * domain has set one for itself: which of them is meant is then not known.
 */
export function readCookies(header: string | undefined, name: string): readonly string[] {
  const values = new Set<string>();
  for (const pair of (header ?? '').split(';')) {
    const at = pair.indexOf('=');
    if (at > 0 && pair.slice(0, at).trim() === name) values.add(pair.slice(at + 1).trim());
  }
  return [...values];
}

/** `Set-Cookie` for a session; an empty token ends it. */
export function formatCookie(token: string, maxAgeSeconds: number, isSecure: boolean): string {
  const parts = [`${sessionCookie}=${token}`, 'Path=/', 'HttpOnly', 'SameSite=Strict'];
  parts.push(`Max-Age=${maxAgeSeconds}`);
  if (isSecure) parts.push('Secure');
  return parts.join('; ');
}

export type HostCheck = { readonly isKnown: (host: string | undefined) => boolean };

/**
 * Names by which this gateway may be addressed. A page of another site whose name resolves to this
 * machine (DNS rebinding) sends its own name.
 */
export function createHostCheck(allowed: readonly string[]): HostCheck {
  const names = new Set(allowed.map((name) => name.toLowerCase()));
  return {
    isKnown: (host) => {
      const name = /^(\[[^\]]*\]|[^:]*)(?::\d{1,5})?$/.exec((host ?? '').toLowerCase())?.[1];
      if (name === undefined || name === '') return false;
      return names.has('*') || names.has(name) || names.has((host ?? '').toLowerCase());
    },
  };
}

/**
 * Cross-site request forgery: a browser sends the cookie with what another site has made it ask.
 * Browsers say where a request comes from; programs that are none send neither header.
 */
export function findForgery(
  { headers, method }: Pick<FastifyRequest, 'headers' | 'method'>,
  isTls: boolean,
): Fault | undefined {
  if (method === 'GET' || method === 'HEAD') return undefined;
  const site = headers['sec-fetch-site'];
  if (site === 'same-origin' || site === 'none') return undefined;
  const { origin, host } = headers;
  if (site === undefined && origin === undefined) return undefined;
  const own = `${isTls ? 'https' : 'http'}://${host ?? ''}`;
  if (site === undefined && origin === own) return undefined;
  return fault(
    'ORIGIN_REFUSED',
    'a request with the session cookie must come from a page of this server: use an API key or an ' +
      'access token in the header Authorization instead',
    { field: 'Origin' },
  );
}
