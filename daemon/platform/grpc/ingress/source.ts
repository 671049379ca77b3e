import { BlockList, isIP } from 'node:net';

/** Addresses and ranges, IPv4 and IPv6. `::ffff:10.0.0.1` is the same address as `10.0.0.1`. */
export type AddressSet = { has(address: string): boolean };

/** True for an address, or a range like `10.0.0.0/8` or `fd00::/8`. */
export function isAddressOrRange(text: string): boolean {
  return parseRange(text) !== undefined;
}

/** `entries` must be addresses or ranges. */
export function createAddressSet(entries: readonly string[]): AddressSet {
  const list = new BlockList();
  for (const entry of entries) {
    const range = parseRange(entry);
    if (!range) throw new Error(`${entry} is neither an address nor a range`);
    list.addSubnet(range.address, range.bits, range.family);
  }
  const remembered = new Map<string, boolean>();
  return {
    has: (text) => {
      const known = remembered.get(text);
      if (known !== undefined) return known;
      const address = plainAddress(text);
      const family = familyOf(address);
      if (family === undefined) return false;
      const isIn = list.check(address, family);
      if (remembered.size >= maxRemembered) remembered.clear();
      remembered.set(text, isIn);
      return isIn;
    },
  };
}

/** The peers of a server repeat with each request, and looking one up takes microseconds. */
const maxRemembered = 256;

export const loopback = createAddressSet(['127.0.0.0/8', '::1']);

/** Proxies in a row that are looked at; a header has room for thousands. */
const maxHops = 32;

/**
 * Where a call comes from: the peer itself, unless it is a trusted proxy. Then it is the right-most
 * address of `x-forwarded-for` that is no trusted proxy: what stands to its left was written by
 * a caller who is not trusted. Where the header says nothing usable, the last proxy is the source.
 */
export function findSource(
  peer: string,
  forwardedFor: readonly string[],
  proxies: AddressSet,
): string {
  let source = plainAddress(peer);
  const hops = forwardedFor.flatMap((header) => header.split(','));
  for (const hop of hops.slice(-maxHops).reverse()) {
    if (!proxies.has(source)) return source;
    const address = addressOfHop(hop.trim());
    if (address === undefined) return source;
    source = address;
  }
  return source;
}

/** The address in what gRPC calls a peer: `1.2.3.4:567`, `::1:567`. A Unix socket has none. */
export function addressOfPeer(peer: string): string {
  const address = peer.replace(/:\d+$/, '');
  return isIP(address) === 0 ? 'unknown' : plainAddress(address);
}

/** One entry of `x-forwarded-for`, which may carry a port: `1.2.3.4:567`, `[::1]:567`. */
function addressOfHop(hop: string): string | undefined {
  const [, bracketed, dotted] = /^(?:\[([^\]]+)\](?::\d+)?|([\d.]+):\d+)$/.exec(hop) ?? [];
  const address = plainAddress(bracketed ?? dotted ?? hop);
  return isIP(address) === 0 ? undefined : address;
}

/** Without a zone; IPv4 that came in by IPv6, in either notation, is written as IPv4. */
function plainAddress(text: string): string {
  const address = text.replace(/%.*$/, '');
  const tail = /^(?:0{0,4}:){2,5}ffff:([\da-f.:]+)$/i.exec(address)?.[1];
  if (tail === undefined || isIP(address) !== 6) return address;
  if (isIP(tail) === 4) return tail;
  const words = tail.split(':').map((word) => Number.parseInt(word, 16));
  return words.flatMap((word) => [word >> 8, word & 255]).join('.');
}

function familyOf(address: string): 'ipv4' | 'ipv6' | undefined {
  return ({ 4: 'ipv4', 6: 'ipv6' } as const)[isIP(address)];
}

function parseRange(
  text: string,
): { address: string; bits: number; family: 'ipv4' | 'ipv6' } | undefined {
  const [written = '', bitsText, ...rest] = text.split('/');
  const address = bitsText === undefined ? plainAddress(written) : written;
  const family = familyOf(address);
  if (!family || rest.length > 0 || text.includes('%')) return undefined;
  const most = family === 'ipv4' ? 32 : 128;
  if (bitsText !== undefined && !/^\d{1,3}$/.test(bitsText)) return undefined;
  const bits = bitsText === undefined ? most : Number(bitsText);
  return bits <= most ? { address, bits, family } : undefined;
}

/** Where to listen: `HOST:PORT`. */
export function parseAddress(address: string): { host: string; port: number } {
  const [, bracketed, named, port] = /^(?:\[(.+)\]|([^:]+)):(\d+)$/.exec(address) ?? [];
  const host = bracketed ?? named;
  if (host === undefined) throw new Error(`${address} is not HOST:PORT`);
  return { host, port: Number(port) };
}
