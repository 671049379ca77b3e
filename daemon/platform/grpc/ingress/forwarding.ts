import type { Log } from '../../log.ts';
import { loopback, type AddressSet } from './source.ts';

const names: ReadonlySet<string> = new Set([
  'forwarded',
  'forwarded-for',
  'via',
  'cdn-loop',
  'client-ip',
  'true-client-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'x-real-ip',
  'x-originating-ip',
  'x-remote-ip',
  'x-remote-addr',
  'x-host',
  'x-scheme',
  'x-original-host',
  'x-original-forwarded-for',
  'x-proxyuser-ip',
  'fastly-client-ip',
  'fly-client-ip',
  'x-azure-clientip',
  'x-azure-socketip',
]);
const prefixes = ['x-forwarded', 'x-envoy-', 'x-real-', 'cf-', 'x-amzn-', 'x-appengine-'];

/** True for a header that proxies add to what they forward; `name` in lower case. */
const isForwardingHeader = (name: string): boolean =>
  names.has(name) || prefixes.some((prefix) => name.startsWith(prefix));

/** The forwarding headers among these, for the log: names only, since values are personal data. */
export const listForwardingHeaders = (headers: object): string[] =>
  Object.keys(headers).filter(isForwardingHeader).sort();

/**
 * True for a name that reaches this machine from itself only. A proxy that adds no header may still
 * show by the name for which the request was meant.
 */
function isLocalAuthority(authority: string): boolean {
  const host = /^(?:\[([^\]]*)\]|([^:]*))(?::\d+)?$/.exec(authority);
  const name = (host?.[1] ?? host?.[2] ?? authority).toLowerCase();
  return name === 'localhost' || name.endsWith('.localhost') || loopback.has(name);
}

/**
 * `local`: straight from a program on this machine. `forwarded`: by a proxy on this machine, for
 * a caller who may be anywhere. `remote`: from another machine, or by a Unix socket.
 */
export type Origin = 'local' | 'forwarded' | 'remote';

/**
 * `headers` has the names in lower case; `authority` is the name for which the request was meant.
 */
export function findOrigin(
  isPeerLoopback: boolean,
  headers: object,
  authority: string | undefined,
): Origin {
  if (!isPeerLoopback) return 'remote';
  for (const name in headers) if (isForwardingHeader(name)) return 'forwarded';
  return authority === undefined || isLocalAuthority(authority) ? 'local' : 'forwarded';
}

export type ForwardReport = (call: {
  readonly peerAddress: string;
  listForwardingHeaders(): readonly string[];
}) => void;

/** Reports the first request that a proxy on this machine forwarded, and what to set. */
export function createForwardReport(log: Log, proxies: AddressSet): ForwardReport {
  let isReported = false;
  return (call) => {
    if (isReported) return;
    isReported = true;
    const { peerAddress } = call;
    const settings = ['SIGN_UP', 'SELF_SERVICE_OPERATIONS'];
    if (!proxies.has(peerAddress)) settings.unshift('TRUSTED_PROXIES');
    log.warn(
      { proxy: peerAddress, headers: call.listForwardingHeaders(), settings },
      'a proxy on this machine forwards requests, which do not count as local: set ' +
        'TRUSTED_PROXIES to the address of the proxy, so that callers are counted apart; and ' +
        'SIGN_UP and SELF_SERVICE_OPERATIONS, whose open defaults hold for local requests only',
    );
  };
}
