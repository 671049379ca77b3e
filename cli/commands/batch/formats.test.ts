import { describe, expect, it } from 'vitest';

import { chooseInputFormat, chooseResultsFormat } from './formats.ts';

describe('chooseInputFormat', () => {
  it.each([
    ['pay.csv', 'csv'],
    ['pay.TSV', 'csv'],
    ['pay', 'csv'],
    ['-', 'csv'],
    ['/dev/stdin', 'csv'],
    ['pay.ndjson', 'ndjson'],
    ['pay.jsonl', 'ndjson'],
    ['pay.ndjson.partial', 'ndjson'],
    ['pay.csv.results.csv.partial', 'csv'],
  ])('the name %s is %s', (name, value) => {
    expect(chooseInputFormat(name, undefined)).toEqual({ ok: true, value });
  });

  it.each(['pay.xlsx', 'pay.ods', 'pay.pdf', 'pay.json'])('the name %s is refused', (name) => {
    const refused = chooseInputFormat(name, undefined);
    expect(refused).toMatchObject({ ok: false, failure: { exitCode: 2, field: 'file' } });
    expect(chooseInputFormat(name, 'csv')).toEqual({ ok: true, value: 'csv' });
  });

  it('a misspelt --input-format gets a suggestion', () => {
    const hint = expect.stringContaining('ndjson') as string;
    expect(chooseInputFormat('-', 'njson')).toMatchObject({ ok: false, failure: { hint } });
  });
});

it.each(['out.pdf', 'out.xlsx', 'out.json'])('results named %s are refused', (name) => {
  const failure = { exitCode: 2, field: 'results' };
  expect(chooseResultsFormat(name)).toMatchObject({ ok: false, failure });
});
