/** The eight groups of an IPv6 address; undefined for any other text. */
function parseIpv6(address: string): number[] | undefined {
  const text = address.replace(/%.*$/, '').toLowerCase();
  const dotted = /^(.*:)(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  const [, start = '', ...bytes] = dotted ?? [];
  const [a = 0, b = 0, c = 0, d = 0] = bytes.map(Number);
  const tail = `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  const [before = '', after, ...rest] = (dotted ? start + tail : text).split('::');
  const groupsOf = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const [head, end] = [groupsOf(before), groupsOf(after ?? '')];
  const zeros = after === undefined ? 0 : 8 - head.length - end.length;
  if (rest.length > 0 || zeros < 0 || (after !== undefined && zeros === 0)) return undefined;
  const groups = [...head, ...Array<string>(zeros).fill('0'), ...end];
  const isAddress = groups.length === 8 && groups.every((group) => /^[\da-f]{1,4}$/.test(group));
  return isAddress ? groups.map((group) => Number.parseInt(group, 16)) : undefined;
}

/**
 * What counts as one source: an IPv4 address, or the first 64 bits of an IPv6 address, since one
 * customer usually has them all. IPv4 that came in by IPv6 is IPv4. A text that is no
 * address is a network of its own.
 */
export function networkOf(address: string): string {
  const groups = address.includes(':') ? parseIpv6(address) : undefined;
  if (!groups) return address;
  const isMapped = groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0);
  if (isMapped) {
    return groups
      .slice(6)
      .flatMap((group) => [group >> 8, group & 255])
      .join('.');
  }
  const prefix = groups.slice(0, 4).map((group) => group.toString(16));
  return `${prefix.join(':')}::/64`;
}
