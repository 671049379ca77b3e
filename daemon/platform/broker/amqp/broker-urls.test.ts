import { expect, it } from 'vitest';

import { parseBrokerUrls } from './broker-urls.ts';

it.each([
  ['amqp://u:p@a/v', ['amqp://u:p@a/v']],
  ['amqp://u:p@a/v, amqps://u:p@b:1/v', ['amqp://u:p@a/v', 'amqps://u:p@b:1/v']],
  ['amqp://u:p,q@a/v,amqp://u:p,q@b/v', ['amqp://u:p,q@a/v', 'amqp://u:p,q@b/v']],
])('the broker URLs %s are read as %j', (text, urls) => {
  expect(parseBrokerUrls(text)).toEqual({ ok: true, urls });
});

it.each([
  ['http://a', 'must be a URL like'],
  ['amqp://u:secret@a/v,', 'must be a URL like'],
  ['amqp://u:secret@a/v,,amqp://b/v', 'in each place of its list'],
  ['amqp://u:secret@a/v,amqp://', 'in each place of its list'],
  ['amqp://u:secret@a/v,amqp://u:secret@b/w', 'the same vhost'],
  [Array(9).fill('amqp://u:secret@a/v').join(), 'at most 8'],
])('the broker URLs %s are refused: %s', (text, problem) => {
  const parsed = parseBrokerUrls(text);
  expect(parsed).toMatchObject({ ok: false, problem: expect.stringContaining(problem) as string });
  expect(JSON.stringify(parsed)).not.toContain('secret');
});
