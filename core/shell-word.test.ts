import { execFileSync } from 'node:child_process';

import { expect, test } from 'vitest';

import { quoteForShell } from './shell-word.ts';

test.each([
  'ana@example.com',
  'x; touch /tmp/owned',
  '$(id)',
  '`id`',
  "it's",
  '~root',
  '',
  'a\nb',
  '\u001b[2Jred',
  "\t'\\",
  '日本 é',
])('a shell reads %j back as one word', (text) => {
  const word = quoteForShell(text);
  const read = execFileSync('bash', ['-c', `printf %s ${word}`], { encoding: 'utf8' });
  expect(read).toBe(text);

  expect(word).not.toMatch(/[\u0000-\u001f]/);
});
