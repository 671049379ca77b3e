import { describe, expect, test } from 'vitest';

import { formatLocalTime } from '../../output/time.ts';
import type { Settings } from '../../config/settings.ts';
import { readTimeRange, type TimeRangeOptions } from './times.ts';
import { formatZonedTime } from '../../../lib/json/time.ts';

const zone = 'America/Sao_Paulo';
// A Saturday, 22:30 in São Paulo.
const nowMs = Date.parse('2026-11-22T01:30:00Z');
const context = {
  clock: { now: () => nowMs, elapsed: () => 0, sleep: () => Promise.resolve() },
  settings: { timezone: zone } as Settings,
};
const rangeOf = (options: TimeRangeOptions) => {
  const range = readTimeRange(context, options);
  if (!range.ok) return `${range.failure.field ?? ''}: ${range.failure.message}`;
  return [range.value.from?.toISOString() ?? '', range.value.to?.toISOString() ?? ''];
};

describe('readTimeRange', () => {
  test.each<[TimeRangeOptions, string[]]>([
    [{}, ['', '']],
    [{ from: '2026-11-20' }, ['2026-11-20T03:00:00.000Z', '']],
    [{ to: '2026-11-20' }, ['', '2026-11-21T03:00:00.000Z']],
    [{ from: 'monday', to: 'yesterday' }, ['2026-11-16T03:00:00.000Z', '2026-11-21T03:00:00.000Z']],
    [
      { from: '2026-11-20T10:00', to: '2026-11-20T14:00:00Z' },
      ['2026-11-20T13:00:00.000Z', '2026-11-20T14:00:00.000Z'],
    ],
    [{ last: '30d' }, ['2026-10-23T03:00:00.000Z', '']],
    [{ last: '12h' }, ['2026-11-21T13:30:00.000Z', '']],
    [{ month: '2026-10' }, ['2026-10-01T03:00:00.000Z', '2026-11-01T03:00:00.000Z']],
  ])('%j is the range %j', (options, expected) => {
    expect(rangeOf(options)).toEqual(expected);
  });

  test('what has not ended is open: this month, today', () => {
    expect(rangeOf({ month: '2026-11' })).toEqual(['2026-11-01T03:00:00.000Z', '']);
    expect(rangeOf({ from: 'today', to: 'today' })).toEqual(['2026-11-21T03:00:00.000Z', '']);
    expect(rangeOf({ to: 'saturday' })).toEqual(['', '']);
    // A date was typed on purpose: the server says that it has not ended.
    expect(rangeOf({ to: '2026-11-21' })).toEqual(['', '2026-11-22T03:00:00.000Z']);
  });

  test.each<[TimeRangeOptions, string]>([
    [{ last: '30d', from: 'monday' }, 'last: --last and --from exclude each other'],
    [{ last: '30d', to: 'today' }, 'last: --last and --to exclude each other'],
    [{ last: '30d', month: '2026-10' }, 'last: --last and --month exclude each other'],
    [{ month: '2026-10', to: 'today' }, 'month: --month and --to exclude each other'],
    [{ from: 'tomorrow' }, 'from: --from must not be in the future'],
    [{ from: '2026-11-22T01:30:01Z' }, 'from: --from must not be in the future'],
    [{ month: '2026-12' }, 'month: --month must not be in the future'],
    [{ from: 'yesterday', to: 'monday' }, 'from: --from must be before --to'],
    [{ month: 'october' }, 'month: "october" is not a month: write it like 2026-10'],
    [{ last: '30m' }, 'last: "30m" is not a span: write hours (12h), days (30d)'],
    [{ from: 'last week' }, 'from: "last week" is not a time: write a date like 2026-11-22'],
    [{ to: '22/11/2026' }, 'to: "22/11/2026" is not a time: write a date like 2026-11-22'],
  ])('%j is refused', (options, message) => {
    expect(rangeOf(options)).toContain(message);
  });

  test('a relative range says what it came to, and one that is written out does not', () => {
    const noteOf = (options: TimeRangeOptions) => {
      const range = readTimeRange(context, options);
      return range.ok ? range.value.note : range.failure.message;
    };
    expect(noteOf({ last: '2d' })).toBe('from 2026-11-20 00:00:00 until now, America/Sao_Paulo');
    expect(noteOf({ month: '2026-10' })).toBe(
      'from 2026-10-01 00:00:00 to 2026-11-01 00:00:00 (not included), America/Sao_Paulo',
    );
    expect(noteOf({ to: 'yesterday' })).toBe(
      'to 2026-11-21 00:00:00 (not included), America/Sao_Paulo',
    );
    expect(noteOf({ from: '2026-11-01', to: '2026-11-02' })).toBeUndefined();
    expect(noteOf({})).toBeUndefined();
  });
});

test('times are printed in the time zone', () => {
  const instant = new Date('2026-11-22T02:03:04.005Z');
  expect(formatLocalTime(instant, zone)).toBe('2026-11-21 23:03:04');
  expect(formatZonedTime(instant, zone)).toBe('2026-11-21T23:03:04.005-03:00');
  expect(formatZonedTime(instant, 'Asia/Kathmandu')).toBe('2026-11-22T07:48:04.005+05:45');
  expect(formatZonedTime(instant, 'UTC')).toBe('2026-11-22T02:03:04.005+00:00');
});
