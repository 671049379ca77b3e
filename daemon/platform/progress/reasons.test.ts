import { expect, it } from 'vitest';

import { createTransientRejection } from '../transient-rejection.ts';
import { createPublicError } from './public-error.ts';
import { describeMailTrouble, describeTrouble } from './reasons.ts';

const errorOf = (message: string, fields: object = {}): Error =>
  Object.assign(new Error(message), fields);

it.each<[unknown, string]>([
  [errorOf('x', { code: 'ECONNREFUSED' }), 'the database is unavailable'],
  [errorOf('x', { code: '55P03', severity: 'ERROR' }), 'a lock is held'],
  [errorOf('x', { code: '57014', severity: 'ERROR' }), 'does not finish a statement in time'],
  [errorOf('x', { code: '53100', severity: 'ERROR' }), 'SQLSTATE 53100'],
  [createPublicError('RabbitMQ is unavailable: ECONNREFUSED'), 'RabbitMQ is unavailable: ECONNREF'],
  [errorOf('RabbitMQ quotes postgres://user:secret@host'), 'in the log'],
  [errorOf('x', { code: '42P01', severity: 'ERROR' }), 'run `walletd migrate`'],
  [
    createTransientRejection({ reason: 'AUTH_UNAVAILABLE', message: 'auth is down', metadata: {} }),
    'auth is down',
  ],
])('the public description of %s contains "%s"', (err, expected) => {
  expect(describeTrouble(err)).toContain(expected);
});

it('an unknown error is described without its text, which could contain a secret', () => {
  const described = describeTrouble(errorOf('postgres://user:secret@host/db said no'));
  expect(described).not.toMatch(/secret|host/);
  expect(described).toContain('in the log');
});

it.each<[Error, RegExp]>([
  [errorOf('550 ana@x.example?', { code: 'EENVELOPE', responseCode: 550 }), /refuses: 550/],
  [errorOf('bad login', { code: 'EAUTH', responseCode: 535 }), /user or the password/],
  [errorOf('Greeting never received', { code: 'ETIMEDOUT' }), /does not answer/],
  [errorOf('connect', { code: 'ECONNECTION' }), /unavailable \(ECONNECTION\)/],
])('a mail failure (%s) is described by %s, without the text of the server', (err, expected) => {
  expect(describeMailTrouble(err)).toMatch(expected);
  expect(describeMailTrouble(err)).not.toMatch(/ana@|bad login/);
});
