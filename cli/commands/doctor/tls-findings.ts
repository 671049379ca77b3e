import type { ServerAddress } from '../../config/server-address.ts';
import { ok, problem, warning, type Finding } from './finding.ts';
import type { TlsProbe } from './probe.ts';

const dayMs = 86_400_000;
/** Renewals come a month before the end as a rule: with less left, one was missed. */
const soonDays = 14;

const causes: Readonly<Record<string, string>> = {
  UNABLE_TO_GET_ISSUER_CERT: 'the server does not send the whole chain',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'no known authority issued it',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'no known authority issued it, or the chain is not complete',
  SELF_SIGNED_CERT_IN_CHAIN: 'no known authority issued it',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'it is signed by itself',
};

/** What a certificate is worth: its chain, its name, and its time. */
export function describeTls(
  { host }: ServerAddress,
  caFile: string | undefined,
  probe: TlsProbe,
  nowMs: number,
): readonly Finding[] {
  const { untrusted, isNameRight, names } = probe;
  const authorities = caFile ?? "the system's authorities";
  const cause = causes[untrusted ?? ''] ?? untrusted ?? '';
  return [
    untrusted === undefined
      ? ok('tls chain', `trusted by ${authorities}`)
      : problem('tls chain', `not trusted by ${authorities}: ${cause}`, {
          fix: '--tls-ca FILE, with the certificate of the authority that issued it (PEM)',
          details: { code: untrusted },
        }),
    isNameRight
      ? ok('tls name', `the certificate is for ${host}`, { details: { names } })
      : problem('tls name', `the certificate is not for ${host}, but for ${names}`, {
          fix: 'use a name of the certificate: --server HOST:PORT; or issue it for this name',
          details: { names },
        }),
    describeTime(probe, nowMs),
  ];
}

/** The time left, by this machine's clock. */
function describeTime({ validFromMs, validToMs }: TlsProbe, nowMs: number): Finding {
  const date = new Date(validToMs).toISOString().slice(0, 10);
  const days = Math.floor((validToMs - nowMs) / dayMs);
  const details = { validTo: new Date(validToMs).toISOString(), daysLeft: days };
  const fix = "renew the server's certificate (TLS_CERT_FILE)";
  if (nowMs < validFromMs) {
    const from = new Date(validFromMs).toISOString();
    const check = "compare this machine's clock";
    return problem('tls expiry', `the certificate is valid from ${from} on`, {
      ...{ fix: check, details },
    });
  }
  if (nowMs > validToMs) {
    return problem('tls expiry', `the certificate ended ${countDays(-days - 1)} ago (${date})`, {
      ...{ fix, details },
    });
  }
  if (days < soonDays) {
    return warning('tls expiry', `the certificate ends in ${countDays(days)} (${date})`, {
      ...{ fix, details },
    });
  }
  return ok('tls expiry', `valid until ${date}, ${countDays(days)} left`, { details });
}

const countDays = (days: number): string =>
  days === 1 ? '1 day' : days < 1 ? 'less than a day' : `${days} days`;
