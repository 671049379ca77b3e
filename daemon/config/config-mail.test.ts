import { describe, expect, it } from 'vitest';

import { parseConfig, type Config, type Environment } from './config.ts';
import { parseSmtpUrl } from '../platform/mail/settings.ts';

function accept(raw: Environment): Config {
  const outcome = parseConfig(raw);
  if (!outcome.ok) throw new Error(outcome.faults.join('\n'));
  return outcome.config;
}

/** The faults, each as [variable, text]. */
function refuse(raw: Environment): [string, string][] {
  const outcome = parseConfig(raw);
  if (outcome.ok) throw new Error('accepted');
  return outcome.faults.map((fault) => {
    const at = fault.indexOf(': ');
    return [fault.slice(0, at), fault.slice(at + 2)];
  });
}

const variables = (raw: Environment): string[] => refuse(raw).map(([variable]) => variable);

describe('mail', () => {
  const mail = { SMTP_URL: 'smtp://u:p%40@mail.example:2525', MAIL_FROM: 'wallet@example.com' };

  it('mail is off, or has a server and a sender', () => {
    expect(accept({}).smtp).toBeUndefined();
    expect(accept(mail).smtp).toEqual({
      url: mail.SMTP_URL,
      from: mail.MAIL_FROM,
      caFile: undefined,
    });
    expect(accept({ ...mail, SMTP_CA_FILE: '/ca.pem' }).smtp?.caFile).toBe('/ca.pem');
  });

  it('SMTP_URL without MAIL_FROM, or MAIL_FROM without SMTP_URL, is a fault', () => {
    expect(variables({ SMTP_URL: mail.SMTP_URL })).toEqual(['MAIL_FROM']);
    expect(variables({ MAIL_FROM: mail.MAIL_FROM, SMTP_CA_FILE: '/ca.pem' })).toEqual([
      'MAIL_FROM',
      'SMTP_CA_FILE',
    ]);
  });

  it.each([
    ['SMTP_URL', 'http://mail.example'],
    ['SMTP_URL', 'smtp:///'],
    ['SMTP_URL', 'smtp://user@mail.example'],
    ['SMTP_URL', 'smtp://mail.example/path'],
    ['SMTP_URL', 'smtp://mail.example?tls.rejectUnauthorized=false'],
    ['SMTP_URL', 'smtps://mail.example?starttls=required'],
    ['SMTP_URL', 'smtp://u:%zz@mail.example'],
    ['MAIL_FROM', 'no-address'],
    ['MAIL_FROM', 'Wallet <wallet@example.com>, eve@example.com'],
    ['MAIL_FROM', 'Wallet\r\nBcc: eve@example.com <wallet@example.com>'],
  ])('%s refuses %j, and its fault does not repeat it', (variable, text) => {
    const [fault] = refuse({ ...mail, [variable]: text });
    expect(fault?.[0]).toBe(variable);
    expect(fault?.[1]).not.toContain(text);
    expect(fault?.[1]).not.toMatch(/u:%zz|mail\.example|eve@/);
  });

  it.each([
    ['smtp://mail.example', { port: 587, isTlsFromStart: false, isTlsRequired: false }],
    ['smtp://mail.example?starttls=required', { isTlsRequired: true, auth: undefined }],
    ['smtp://u:p%40@mail.example:25', { port: 25, isTlsRequired: true }],
    ['smtp://u:p@127.0.0.1:25', { isTlsRequired: false, auth: { user: 'u', pass: 'p' } }],
    ['smtps://u:p%40@[2001:db8::1]', { port: 465, host: '2001:db8::1', isTlsFromStart: true }],
  ])('the SMTP URL %s is parsed', (url, server) => {
    expect(parseSmtpUrl(url)).toMatchObject(server);
  });
});

describe('mail server of the original', () => {
  it('a mail server in MAIL_HOST is refused with the name of the setting, unless SMTP_URL is given', () => {
    expect(refuse({ MAIL_HOST: 'mail.example' })).toEqual([
      ['MAIL_HOST', expect.stringContaining('SMTP_URL, like smtp://') as unknown],
    ]);
    const others = { MAIL_HOST: 'mail.example', LOG_LEVEL: 'loud' };
    expect(variables(others)).toEqual(['LOG_LEVEL', 'MAIL_HOST']);
    const smtp = { SMTP_URL: 'smtp://mail.example', MAIL_FROM: 'wallet@example.com' };
    expect(accept({ ...smtp, MAIL_HOST: 'mail.example' }).smtp?.from).toBe('wallet@example.com');
    expect(accept({ MAIL_HOST: ' ' }).smtp).toBeUndefined();
    expect(parseConfig({ MAIL_HOST: 'mail.example' }, 'databases').ok).toBe(true);
  });
});
