import { expect, test } from 'vitest';

import { addSubject, nameField } from './subject.ts';

test.each([
  ['is missing', '--to is missing'],
  ['must not be empty', '--to must not be empty'],
  ['has the key "a" twice', '--to has the key "a" twice'],
  ['applies to one dead letter: give exactly one id', '--to applies to one dead letter: '],
  ['cannot be read: it is locked', '--to cannot be read: it is locked'],
  ['"x" is not a whole number', '--to: "x" is not a whole number'],
])('%s gets its subject', (message, shown) => {
  expect(addSubject('--to', message)).toContain(shown);
});

test.each([
  '--to and --via exclude each other',
  'cannot read /tmp/rows.csv: it is a folder',
  'staff must name the user',
  'no code on stdin',
])('%s is a sentence already', (message) => {
  expect(addSubject('--to', message)).toBe(message);
});

test.each([
  ['sweep_to', '--sweep-to'],
  ['batch-id', '--batch-id'],
  ['hold_id', 'hold id'],
  ['amount', 'amount'],
])('the field %s is shown as %s', (field, name) => {
  expect(nameField(field, ['--sweep-to', '--batch-id', '--json'])).toBe(name);
});
