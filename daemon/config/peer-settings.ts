import type { PeerAddress } from './setting-types.ts';
import { isLoopback, serviceNames, type Parsed, type ServiceName } from './settings.ts';

/** The services that others call: the gateway calls all of them. */
export type PeerName = ServiceName;

export type PeerAddresses = Readonly<Partial<Record<PeerName, PeerAddress>>>;

/** Which services the hosted parts call: all ask auth, statement asks wallet. */
function peersOf(hosted: Parsed['WALLETD_SERVICES']): readonly PeerName[] {
  if (hosted.includes('gateway')) return serviceNames;
  return hosted.includes('statement') ? ['auth', 'wallet'] : ['auth'];
}

const settingOf = (name: PeerName) =>
  `${name.toUpperCase() as Uppercase<PeerName>}_SERVICE_URL` as const;

/** Addresses of services that are hosted here, or that no service here asks, are not looked at. */
export function findPeerContradictions(parsed: Parsed): string[] {
  const faults: string[] = [];
  const hosted = parsed.WALLETD_SERVICES;
  for (const name of peersOf(hosted)) {
    if (hosted.includes(name)) continue;
    const setting = settingOf(name);
    const address = parsed[setting];
    if (address === undefined) {
      faults.push(`${setting}: is missing, and WALLETD_SERVICES does not host ${name}`);
    } else if (!address.hasTls && !isLoopback(address.host) && !parsed.WALLETD_ALLOW_PLAINTEXT) {
      faults.push(
        `${setting}: is another machine, which is reached without TLS; write https://HOST:PORT, or set WALLETD_ALLOW_PLAINTEXT=1`,
      );
    }
  }
  return faults;
}

/** Of the services that are not hosted here: one environment may name all for all daemons. */
export function addressesOf(parsed: Parsed): PeerAddresses {
  const addresses: Partial<Record<PeerName, PeerAddress>> = {};
  for (const name of serviceNames) {
    const address = parsed[settingOf(name)];
    if (address && !parsed.WALLETD_SERVICES.includes(name)) addresses[name] = address;
  }
  return addresses;
}
