import { describe, expect, test } from 'vitest';

import { formatLocalTime } from '../../output/time.ts';
import { parseTime } from './times.ts';
import { formatZonedTime } from '../../../lib/json/time.ts';

const zone = 'America/Sao_Paulo';
const instantOf = (text: string, edge: 'dayStart' | 'dayEnd', timezone = zone) => {
  const parsed = parseTime('from', text, timezone, edge);
  return parsed.ok ? parsed.value.toISOString() : parsed.failure.reason;
};

describe('parseTime', () => {
  test('a date is parsed as the first instant of that day in its zone, or of the next', () => {
    expect(instantOf('2026-11-22', 'dayStart')).toBe('2026-11-22T03:00:00.000Z');
    expect(instantOf('2026-11-22', 'dayEnd')).toBe('2026-11-23T03:00:00.000Z');
  });

  test('days of 23 and 25 hours end at midnight of their time zone', () => {
    expect(instantOf('2026-03-29', 'dayEnd', 'Europe/Lisbon')).toBe('2026-03-29T23:00:00.000Z');
    expect(instantOf('2026-10-25', 'dayEnd', 'Europe/Lisbon')).toBe('2026-10-26T00:00:00.000Z');
  });

  test('a time with an offset is parsed as that instant', () => {
    expect(instantOf('2026-11-22T18:00:00-03:00', 'dayEnd')).toBe('2026-11-22T21:00:00.000Z');
    expect(instantOf('2026-11-22T18:00:00.250Z', 'dayStart')).toBe('2026-11-22T18:00:00.250Z');
  });

  test('a time without an offset is parsed in the time zone', () => {
    expect(instantOf('2026-11-22T18:00', 'dayEnd')).toBe('2026-11-22T21:00:00.000Z');
    expect(instantOf('2026-11-22 18:00:30.5', 'dayEnd')).toBe('2026-11-22T21:00:30.500Z');
  });

  test.each([
    '',
    'yesterday',
    '2026-02-30',
    '2026-11-22T25:00',
    '2026-02-30T18:00',
    '2026-02-30T00:00:00Z',
    '22/11/2026',
  ])('the time %j is refused', (text) => {
    expect(instantOf(text, 'dayStart')).toBe('USAGE');
  });
});

test('times are printed in the time zone', () => {
  const instant = new Date('2026-11-22T02:03:04.005Z');
  expect(formatLocalTime(instant, zone)).toBe('2026-11-21 23:03:04');
  expect(formatZonedTime(instant, zone)).toBe('2026-11-21T23:03:04.005-03:00');
  expect(formatZonedTime(instant, 'Asia/Kathmandu')).toBe('2026-11-22T07:48:04.005+05:45');
  expect(formatZonedTime(instant, 'UTC')).toBe('2026-11-22T02:03:04.005+00:00');
});
