import { isIP } from 'node:net';

/** Where the server listens. `text` is the one spelling that profiles and keychain accounts use. */
export type ServerAddress = {
  readonly host: string;
  readonly port: number;
  readonly text: string;
  readonly isLoopback: boolean;
};

const hostNamePattern =
  /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*\.?$/;

/**
 * Reads `HOST:PORT`, an IPv6 address in brackets. Undefined for anything else: a scheme, a path, a
 * user part, blanks or control characters would end up in file names and in what is shown.
 */
export function parseServerAddress(text: string): ServerAddress | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):([0-9]{1,5})$/.exec(text);
  if (!match) return undefined;
  const [, bracketed, plain, portText] = match;
  const port = Number(portText);
  if (port < 1 || port > 65_535) return undefined;
  if (bracketed !== undefined) {
    if (isIP(bracketed) !== 6 || bracketed.includes('%')) return undefined;
    const host = bracketed.toLowerCase();
    return { host, port, text: `[${host}]:${port}`, isLoopback: host === '::1' };
  }
  const host = (plain ?? '').toLowerCase();
  const isAddress = isIP(host) === 4;
  if (!isAddress && (!hostNamePattern.test(host) || /^[0-9.]+$/.test(host))) return undefined;
  const isLoopback = isAddress
    ? host.startsWith('127.')
    : host === 'localhost' || host.endsWith('.localhost');
  return { host, port, text: `${host}:${port}`, isLoopback };
}
