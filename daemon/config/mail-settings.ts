import type { Parsed } from './settings.ts';

/** An operator who comes with these variables would wait for mail that is never sent. */
export function findForeignMail(
  { MAIL_HOST: host = '' }: { readonly MAIL_HOST?: string },
  { SMTP_URL: smtpUrl }: Readonly<Record<string, string>>,
): string[] {
  if (host.trim() === '' || smtpUrl !== '') return [];
  return [
    'MAIL_HOST: is not read; give the mail server as SMTP_URL, like ' +
      'smtp://MAIL_USER:MAIL_PASSWORD@MAIL_HOST:MAIL_PORT',
  ];
}

export function findMailContradictions(parsed: Parsed): string[] {
  const faults: string[] = [];
  if (parsed.SMTP_URL !== undefined && parsed.MAIL_FROM === undefined) {
    faults.push('MAIL_FROM: is missing, and SMTP_URL needs an address that mail comes from');
  }
  for (const name of ['MAIL_FROM', 'SMTP_CA_FILE'] as const) {
    if (parsed.SMTP_URL === undefined && parsed[name] !== undefined) {
      faults.push(`${name}: is given without SMTP_URL`);
    }
  }
  return faults;
}

type SmtpConfig = {
  readonly url: string;
  readonly from: string;
  readonly caFile: string | undefined;
};

/** Where mail is sent; undefined: none is. */
export const smtpOf = ({
  SMTP_URL: url,
  MAIL_FROM: from,
  SMTP_CA_FILE: caFile,
}: Parsed): SmtpConfig | undefined =>
  url === undefined || from === undefined ? undefined : { url, from, caFile };
