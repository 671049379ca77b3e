import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import {
  addDays,
  instantOfWallClock,
  isStorableTime,
  isTimezone,
  isWithinDays,
  nextDay,
  parseDate,
  wallClockMs,
} from './calendar.ts';

const at = (iso: string): number => Date.parse(iso);
/** A wall clock as text: the milliseconds that it would be in UTC. */
const wall = (text: string): number => Date.parse(`${text}Z`);
const isoOf = (ms: number): string => new Date(ms).toISOString();

const hourMs = 3_600_000;
const zones = [
  'UTC',
  'America/New_York',
  'Europe/Berlin',
  'America/Sao_Paulo',
  'Asia/Kolkata',
  'Australia/Lord_Howe',
  'Pacific/Apia',
];

describe('wallClockMs', () => {
  it.each([
    ['America/New_York', '2026-03-08T06:59:59.999Z', '2026-03-08T01:59:59.999Z'],
    ['America/New_York', '2026-03-08T07:00:00.000Z', '2026-03-08T03:00:00.000Z'],
    ['America/New_York', '2026-11-01T05:59:59.000Z', '2026-11-01T01:59:59.000Z'],
    ['America/New_York', '2026-11-01T06:00:00.000Z', '2026-11-01T01:00:00.000Z'],
    ['Europe/Berlin', '2026-03-29T00:59:59.000Z', '2026-03-29T01:59:59.000Z'],
    ['Europe/Berlin', '2026-03-29T01:00:00.000Z', '2026-03-29T03:00:00.000Z'],
    ['Europe/Berlin', '2026-10-25T00:59:59.000Z', '2026-10-25T02:59:59.000Z'],
    ['Europe/Berlin', '2026-10-25T01:00:00.000Z', '2026-10-25T02:00:00.000Z'],
    // Brazil kept summer time until 2019 and has had none since.
    ['America/Sao_Paulo', '2018-12-01T12:00:00.000Z', '2018-12-01T10:00:00.000Z'],
    ['America/Sao_Paulo', '2025-12-01T12:00:00.000Z', '2025-12-01T09:00:00.000Z'],
    ['UTC', '1969-12-31T23:59:59.001Z', '1969-12-31T23:59:59.001Z'],
    ['UTC', '0001-01-02T00:00:00.000Z', '0001-01-02T00:00:00.000Z'],
    ['America/Sao_Paulo', '0099-02-28T12:00:00.007Z', '0099-02-28T08:53:32.007Z'],
    ['Asia/Kolkata', '1969-12-31T18:29:59.999Z', '1969-12-31T23:59:59.999Z'],
    ['Asia/Kolkata', '1960-02-29T18:30:00.001Z', '1960-03-01T00:00:00.001Z'],
  ])('in %s at %s the clock shows %s', (timezone, instant, shown) => {
    expect(isoOf(wallClockMs(at(instant), timezone))).toBe(shown);
  });
});

describe('instantOfWallClock', () => {
  it.each([
    ['an ordinary time', 'Europe/Berlin', '2026-07-01T12:00', '2026-07-01T10:00:00.000Z'],
    ['one skipped in New York', 'America/New_York', '2026-03-08T02:30', '2026-03-08T07:00:00.000Z'],
    ['one skipped in Berlin', 'Europe/Berlin', '2026-03-29T02:00', '2026-03-29T01:00:00.000Z'],
    ['a midnight skipped', 'America/Sao_Paulo', '2018-11-04T00:00', '2018-11-04T03:00:00.000Z'],
    ['one doubled in New York', 'America/New_York', '2026-11-01T01:30', '2026-11-01T05:30:00.000Z'],
    ['one doubled in Berlin', 'Europe/Berlin', '2026-10-25T02:30', '2026-10-25T00:30:00.000Z'],
    [
      'a midnight after a fall back',
      'Europe/Berlin',
      '2026-10-26T00:00',
      '2026-10-25T23:00:00.000Z',
    ],
    [
      'half an hour of summer',
      'Australia/Lord_Howe',
      '2026-01-01T00:00',
      '2025-12-31T13:00:00.000Z',
    ],
    ['a day left out', 'Pacific/Apia', '2011-12-30T12:00', '2011-12-30T10:00:00.000Z'],
    ['the end of a gap', 'America/New_York', '2026-03-08T02:59', '2026-03-08T07:00:00.000Z'],
  ])('instantOfWallClock of %s: %s %s is %s', (_what, timezone, text, instant) => {
    expect(isoOf(instantOfWallClock(wall(text), timezone))).toBe(instant);
  });

  it('instantOfWallClock finds the first instant whose clock shows the time', () => {
    const minuteArbitrary = fc.integer({
      min: at('2010-01-01T00:00Z') / 60_000,
      max: at('2030-01-01T00:00Z') / 60_000,
    });
    fc.assert(
      fc.property(fc.constantFrom(...zones), minuteArbitrary, (timezone, minute) => {
        const instantMs = minute * 60_000;
        const shownMs = wallClockMs(instantMs, timezone);
        const foundMs = instantOfWallClock(shownMs, timezone);
        expect(wallClockMs(foundMs, timezone)).toBe(shownMs);
        expect(foundMs).toBeLessThanOrEqual(instantMs);
        expect(instantMs - foundMs).toBeLessThanOrEqual(hourMs);
      }),
      { numRuns: 500 },
    );
  });

  it('a later time of a clock is never an earlier instant', () => {
    const aroundJumps = fc.constantFrom('2026-03-08T00:00', '2026-03-29T00:00', '2011-12-30T00:00');
    const minutes = fc.integer({ min: 0, max: 30 * 60 });
    const zone = fc.constantFrom(...zones, 'Pacific/Apia');
    fc.assert(
      fc.property(zone, aroundJumps, minutes, minutes, (timezone, day, a, b) => {
        const instantOf = (minute: number) =>
          instantOfWallClock(wall(day) + minute * 60_000, timezone);
        expect(instantOf(Math.min(a, b))).toBeLessThanOrEqual(instantOf(Math.max(a, b)));
      }),
      { numRuns: 500 },
    );
  });
});

describe('isWithinDays', () => {
  // 15 days of 24 hours are 360 hours; across a change of clocks they are 359 or 361.
  it.each([
    ['America/New_York', '2026-03-01T00:00', '2026-03-16T00:00', 359],
    ['America/New_York', '2026-10-25T00:00', '2026-11-09T00:00', 361],
    ['Europe/Berlin', '2026-03-20T00:00', '2026-04-04T00:00', 359],
    ['Europe/Berlin', '2026-10-20T00:00', '2026-11-04T00:00', 361],
    ['America/Sao_Paulo', '2026-10-20T00:00', '2026-11-04T00:00', 360],
    ['America/Sao_Paulo', '2018-10-25T00:00', '2018-11-09T00:00', 359],
  ])('in %s from %s to %s are 15 days of %i hours', (timezone, from, to, hours) => {
    const fromMs = instantOfWallClock(wall(from), timezone);
    const toMs = instantOfWallClock(wall(to), timezone);
    expect((toMs - fromMs) / hourMs).toBe(hours);
    expect(isWithinDays(fromMs, toMs, 15, timezone)).toBe(true);
    expect(isWithinDays(fromMs, toMs + 1, 15, timezone)).toBe(false);
    expect(isWithinDays(fromMs, toMs, 14, timezone)).toBe(false);
  });
});

describe('parseDate', () => {
  it.each(['2026-11-22', '2024-02-29', '2000-02-29', '0001-01-01', '9999-12-31'])(
    'parseDate reads %s',
    (text) => {
      expect(isoOf(parseDate(text) ?? NaN)).toBe(`${text}T00:00:00.000Z`);
    },
  );

  it.each([
    '2026-02-30',
    '2026-02-29',
    '1900-02-29',
    '2026-04-31',
    '2026-13-01',
    '2026-00-10',
    '2026-01-00',
    '2026-01-32',
    '2026-1-1',
    '26-01-01',
    '2026/01/01',
    '2026-01-01T00:00',
    ' 2026-01-01',
    '2026-01-01\n',
    '+02026-01-01',
    '',
  ])('parseDate refuses %j', (text) => {
    expect(parseDate(text)).toBeUndefined();
  });

  it('the next day of 31 December is 1 January', () => {
    expect(isoOf(nextDay(wall('2026-12-31T00:00')))).toBe('2027-01-01T00:00:00.000Z');
  });
});

it('isTimezone accepts IANA zones and nothing else', () => {
  expect(zones.filter((zone) => !isTimezone(zone))).toEqual([]);
  const others = ['', 'Mars/Olympus', 'America', '../etc/passwd', 'UTC\n'];
  expect(others.map(isTimezone)).toEqual(others.map(() => false));
});

describe('addDays', () => {
  it.each([
    ['Europe/Berlin', '2026-03-28T11:00:00.000Z', 1, '2026-03-29T10:00:00.000Z'],
    ['Europe/Berlin', '2026-03-29T10:00:00.000Z', -1, '2026-03-28T11:00:00.000Z'],
    ['America/New_York', '2026-11-01T03:59:00.000Z', 2, '2026-11-03T04:59:00.000Z'],
    ['UTC', '2026-02-28T12:00:00.007Z', 1, '2026-03-01T12:00:00.007Z'],
    ['UTC', '2026-02-28T12:00:00.007Z', 0, '2026-02-28T12:00:00.007Z'],
  ])('in %s %s and %i days are %s', (timezone, instant, days, expected) => {
    expect(isoOf(addDays(at(instant), days, timezone))).toBe(expected);
  });
});

it('a time can be stored from the second day of the year 1 up to the last day of 9999', () => {
  const [first, last] = [at('0001-01-02T00:00:00Z'), at('9999-12-30T23:59:59.999Z')];
  expect([first - 1, first, last, last + 1].map(isStorableTime)).toEqual([
    false,
    true,
    true,
    false,
  ]);
});
