import { type Command } from 'commander';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { buildProgram } from '../program.ts';
import { nameCommand } from '../terminal/usage.ts';
import { formatFields, formatItemFields, readFields } from './fields.ts';
import type { Field } from '../terminal/reporter.ts';
import { jsonFields } from './json-fields.ts';

const pipe = { isTerminal: false };
const known = [
  ...['status', 'statement.closing', 'statement.lines[].seq', 'statement.lines[].description'],
  ...['export.id', 'codes'],
];
const listed = ['items[].id', 'items[].balance', 'items[].details.*', 'nextPageToken', 'balance'];

const choose = (texts: readonly string[], paths: readonly string[] = known): readonly Field[] => {
  const fields = readFields(texts, paths, 'test');
  if (!fields.ok) throw new Error(fields.failure.message);
  return fields.value;
};
const refusalOf = (texts: readonly string[], paths: readonly string[] = known): string => {
  const fields = readFields(texts, paths, 'test');
  return fields.ok ? 'accepted' : `${fields.failure.exitCode} ${fields.failure.message}`;
};

const answer = {
  status: 'complete',
  statement: {
    closing: '1.00',
    lines: [
      { seq: 1, description: 'a\tb\nc\\' },
      { seq: 2, description: undefined },
    ],
  },
  export: undefined,
  codes: ['a-b', 'c-d'],
};

describe('readFields', () => {
  it('an unknown field is a usage error that lists those that there are', () => {
    expect(refusalOf(['statement.end'])).toBe(
      '2 "statement.end" is not a field of wallet test; there are: status, statement.closing, ' +
        'statement.lines.seq, statement.lines.description, export.id, codes',
    );
    for (const name of ['', 'stat', 'status.x', 'statement.lines[].seq', '__proto__', 'items']) {
      expect(refusalOf([name])).toMatch(/^2 /);
    }
    expect(refusalOf(['id'], [])).toBe('2 wallet test has no fields to choose');
  });

  it('fields that cannot be on the same line are refused', () => {
    expect(refusalOf(['items.id,nextPageToken'], listed)).toMatch(/^2 .*same list/);
    expect(refusalOf(['a.b', 'c.d'], ['a[].b', 'c[].d'])).toMatch(/^2 .*same list/);
    expect(refusalOf(['status,statement.lines.seq'])).toBe('accepted');
  });
});

describe('formatFields', () => {
  const print = (...texts: readonly string[]) => formatFields(pipe, choose(texts), answer);

  it.each([
    [['status'], 'complete\n'],
    [['statement.closing'], '1.00\n'],
    [['statement.closing', 'status'], '1.00\tcomplete\n'],
    [['statement.closing, status'], '1.00\tcomplete\n'],
    [['export.id'], '\n'],
    [['codes'], 'a-b\nc-d\n'],
    [['statement.lines.seq'], '1\n2\n'],
    [['status', 'statement.lines.seq'], 'complete\t1\ncomplete\t2\n'],
    [['statement.lines.seq', 'statement.lines.description'], '1\ta\\tb\\nc\\\\\n2\t\n'],
    [
      ['statement'],
      '{"closing":"1.00","lines":[{"seq":1,"description":"a\\tb\\nc\\\\"},{"seq":2}]}\n',
    ],
  ])('--field %j prints %j', (texts, expected) => {
    expect(print(...texts)).toBe(expected);
  });

  it('a single text is printed as it is, and at a terminal without controls', () => {
    const value = { codes: 'a\n\u001b[31mb\\' };
    expect(formatFields(pipe, choose(['codes']), value)).toBe('a\n\u001b[31mb\\\n');
    expect(formatFields({ isTerminal: true }, choose(['codes']), value)).toBe('a [31mb\\\n');
  });

  it('items of a list need no prefix, and each is one line of its own', () => {
    const items = [
      { id: 'a', balance: '1.00', details: { note: 'x' } },
      { id: 'b', balance: null },
    ];
    const print = (text: string) => formatItemFields(pipe, choose([text], listed), items);
    expect(print('id')).toBe('a\nb\n');
    expect(print('items.id')).toBe('a\nb\n');
    expect(print('balance,id')).toBe('1.00\ta\n\tb\n');
    expect(print('details.note')).toBe('x\n\n');
    expect(print('details')).toBe('{"note":"x"}\n\n');
    expect(print('items')).toBe(items.map((item) => `${JSON.stringify(item)}\n`).join(''));
  });

  it('no text of an item can make a second row or column', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ id: fc.string(), balance: fc.string() })), (items) => {
        const unescape = (text: string): string =>
          text.replace(/\\(.)/g, (_, c: string) => ({ t: '\t', n: '\n', r: '\r' })[c] ?? c);
        const text = formatItemFields(pipe, choose(['id,balance'], listed), items);
        const rows = text.split('\n').slice(0, -1);
        expect(rows.map((row) => row.split('\t').map(unescape))).toEqual(
          items.map(({ id, balance }) => [id, balance]),
        );
      }),
    );
  });
});

it('each command is listed with the fields of its JSON', () => {
  const leaves = (command: Command): Command[] =>
    command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);
  const program = buildProgram('1.0.0', () => Promise.resolve());
  expect(leaves(program).map(nameCommand).sort()).toEqual(Object.keys(jsonFields).sort());
});
