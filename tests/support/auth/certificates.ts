import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

type Certificate = { readonly cert: string; readonly key: string };

export type Authority = {
  /** Its own certificate. */
  readonly cert: string;
  /**
   * Makes a certificate for this machine; `days` below 0: one that has ended. Paths of PEM files.
   */
  issue(name: string, days?: number, keyType?: keyof typeof keyTypes): Certificate;
};

const keyTypes = {
  ec: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
  rsa: ['-newkey', 'rsa:2048', '-nodes'],
};

/** A certificate authority of the test's own, made with openssl in this folder. */
export function createAuthority(folder: string, name: string, days = 2): Authority {
  const path = (file: string): string => join(folder, file);
  const openssl = (...args: string[]): void =>
    void execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  const own = { key: path(`${name}.key`), cert: path(`${name}.pem`) };
  const subject = ['-subj', `/CN=${name}`, '-days', String(days)];
  openssl('req', '-x509', ...keyTypes.ec, '-keyout', own.key, '-out', own.cert, ...subject);
  writeFileSync(path('names'), 'subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:walletd.internal\n');
  return {
    cert: own.cert,
    issue: (holder, lifeDays = 1, keyType = 'ec') => {
      const files = { key: path(`${holder}.key`), cert: path(`${holder}.pem`) };
      const request = path(`${holder}.csr`);
      const newKey = keyTypes[keyType];
      openssl('req', ...newKey, '-keyout', files.key, '-out', request, '-subj', `/CN=${holder}`);
      const by = ['-CA', own.cert, '-CAkey', own.key, '-CAcreateserial', '-days', String(lifeDays)];
      openssl('x509', '-req', '-in', request, ...by, '-extfile', path('names'), '-out', files.cert);
      return files;
    },
  };
}
