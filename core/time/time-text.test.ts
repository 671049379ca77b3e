import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { addDays, wallClockMs } from './calendar.ts';
import { readLast, readMonth, readTime, type TimeBase } from './time-text.ts';

const iso = (ms: number | undefined): string =>
  ms === undefined ? 'refused' : new Date(ms).toISOString().replace('.000Z', 'Z');
const baseAt = (now: string, timezone: string): TimeBase => ({ nowMs: Date.parse(now), timezone });
/** `2026-11-22` on a zone's clock. */
const dateOf = (ms: number, timezone: string): string =>
  new Date(wallClockMs(ms, timezone)).toISOString().slice(0, 10);

// A Saturday evening in São Paulo is Sunday already in Berlin.
const now = '2026-11-22T01:30:00Z';
const berlin = baseAt(now, 'Europe/Berlin');
const saoPaulo = baseAt(now, 'America/Sao_Paulo');

const zones = [
  'UTC',
  'America/Sao_Paulo',
  'Europe/Berlin',
  'America/St_Johns',
  'Pacific/Kiritimati',
];
const zoneArbitrary = fc.constantFrom(...zones);
const nowArbitrary = fc.integer({
  min: Date.parse('1990-01-01T00:00Z'),
  max: Date.parse('2037-01-01T00:00Z'),
});

describe('readTime', () => {
  it.each([
    ['2026-11-22', '2026-11-22T03:00:00Z', '2026-11-23T03:00:00Z'],
    ['2026-02', '2026-02-01T03:00:00Z', '2026-03-01T03:00:00Z'],
    ['today', '2026-11-21T03:00:00Z', '2026-11-22T03:00:00Z'],
    ['Yesterday', '2026-11-20T03:00:00Z', '2026-11-21T03:00:00Z'],
    ['tomorrow', '2026-11-22T03:00:00Z', '2026-11-23T03:00:00Z'],
    ['now', now, now],
    ['saturday', '2026-11-21T03:00:00Z', '2026-11-22T03:00:00Z'],
    ['SUN', '2026-11-15T03:00:00Z', '2026-11-16T03:00:00Z'],
    ['monday', '2026-11-16T03:00:00Z', '2026-11-17T03:00:00Z'],
    ['2026-11-22T18:00', '2026-11-22T21:00:00Z', '2026-11-22T21:00:00Z'],
    ['2026-11-22T18:00:00+01:00', '2026-11-22T17:00:00Z', '2026-11-22T17:00:00Z'],
    ['2026-11-22 18:00:00.25', '2026-11-22T21:00:00.250Z', '2026-11-22T21:00:00.250Z'],
    ['2026-11-22t18:00:07', '2026-11-22T21:00:07Z', '2026-11-22T21:00:07Z'],
    ['2026-11-22 18:00:00.123456789Z', '2026-11-22T18:00:00.123Z', '2026-11-22T18:00:00.123Z'],
    ['2026-11-22t18:00:00z', '2026-11-22T18:00:00Z', '2026-11-22T18:00:00Z'],
    ['0099-02', '0099-02-01T03:06:28Z', '0099-03-01T03:06:28Z'],
    ['2026-12', '2026-12-01T03:00:00Z', '2027-01-01T03:00:00Z'],
    ['Now', now, now],
    ['WEDNESDAY', '2026-11-18T03:00:00Z', '2026-11-19T03:00:00Z'],
  ])('on a Saturday in São Paulo %s is from %s to %s', (text, start, end) => {
    const span = readTime(text, saoPaulo);
    expect([iso(span?.startMs), iso(span?.endMs)]).toEqual([start, end]);
  });

  it('words are days of the zone: it is Sunday in Berlin already', () => {
    expect(iso(readTime('today', berlin)?.startMs)).toBe('2026-11-21T23:00:00Z');
    expect(readTime('sunday', berlin)).toEqual(readTime('today', berlin));
  });

  it('a day of the week can be the next one', () => {
    const next = { ...saoPaulo, weekdays: 'next' } as const;
    expect(iso(readTime('monday', next)?.startMs)).toBe('2026-11-23T03:00:00Z');
    expect(iso(readTime('saturday', next)?.startMs)).toBe('2026-11-28T03:00:00Z');
  });

  it('days on which clocks change have 23 or 25 hours, and begin where their midnight is', () => {
    const hours = (text: string, timezone: string): [string, number] => {
      const span = readTime(text, baseAt(now, timezone))!;
      return [iso(span.startMs), (span.endMs - span.startMs) / 3_600_000];
    };
    expect(hours('2026-03-29', 'Europe/Berlin')).toEqual(['2026-03-28T23:00:00Z', 23]);
    expect(hours('2026-10-25', 'Europe/Berlin')).toEqual(['2026-10-24T22:00:00Z', 25]);
    // The clock went from 24:00 to 01:00: the day has no midnight.
    expect(hours('2018-11-04', 'America/Sao_Paulo')).toEqual(['2018-11-04T03:00:00Z', 23]);
    expect(hours('2018-02-17', 'America/Sao_Paulo')).toEqual(['2018-02-17T02:00:00Z', 25]);
    // No summer time since 2019.
    expect(hours('2026-11-01', 'America/Sao_Paulo')).toEqual(['2026-11-01T03:00:00Z', 24]);
  });

  it.each([
    ...['', ' ', 'noon', 'last week', 'mond', '22/11/2026', '2026-13', '2026-02-30', '2026-1'],
    ...['2026-11-22T25:00', '2026-02-30T18:00', '2026-02-30T00:00:00Z', '20261122', '1795305600'],
    ...['2026-11-22T18', 'today ', '2026-11-22T18:00Z+1', '30d', '-1d', '2026-W47'],
    ...['12026-11', '2026-111', 'x2026-11', 'x2026-11-22T18:00', '2026-11-22T18:00x'],
    ...['x2026-11-22T18:00:00Z', '2026-11-22T18:00:00Zx', '2026-11-22T18:00:00+25:00'],
    ...['2026-11-22T18:00:00.Z', '2026-11-22T18:00:00.', '2026-11-22T18:60', '2026-11-22T24:30'],
    ...['2026-11-22T18:00:00.1234567890Z', '2026-02-30T18:00:00+01:00', 'su', 'sunda', 'nowx'],
  ])('readTime refuses %j', (text) => {
    expect(readTime(text, saoPaulo)).toBeUndefined();
  });

  it('a word means the same as the date that it stands for', () => {
    fc.assert(
      fc.property(nowArbitrary, zoneArbitrary, (nowMs, timezone) => {
        const base = { nowMs, timezone };
        const span = readTime('today', base)!;
        expect(readTime(dateOf(nowMs, timezone), base)).toEqual(span);
        expect(readTime('yesterday', base)?.endMs).toBe(span.startMs);
        expect(readTime('tomorrow', base)?.startMs).toBe(span.endMs);
        const days = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
        const starts = days.map((day) => readTime(day, base)!.startMs);
        expect(Math.max(...starts)).toBe(span.startMs);
        expect(new Set(starts).size).toBe(7);
        expect(Math.min(...starts)).toBeGreaterThan(span.startMs - 7 * 24 * 3_600_000);
      }),
    );
  });
});

describe('readMonth', () => {
  it('a month lasts until the next one begins, over the change of clocks', () => {
    const october = readMonth('2026-10', 'Europe/Berlin')!;
    expect([iso(october.startMs), iso(october.endMs)]).toEqual([
      '2026-09-30T22:00:00Z',
      '2026-10-31T23:00:00Z',
    ]);
    expect(readMonth('2026-12', 'UTC')?.endMs).toBe(Date.parse('2027-01-01T00:00Z'));
  });

  it.each([
    ...['2026-00', '2026-13', '2026-1', '10-2026', '2026-10-01', 'october', ''],
    ...['x2026-10', '2026-10x', '12026-10', '2026-101'],
  ])('readMonth refuses %j', (text) => {
    expect(readMonth(text, 'UTC')).toBeUndefined();
  });

  it('the days of a month are those with its name', () => {
    fc.assert(
      fc.property(nowArbitrary, zoneArbitrary, (nowMs, timezone) => {
        const name = dateOf(nowMs, timezone).slice(0, 7);
        const { startMs, endMs } = readMonth(name, timezone)!;
        expect(startMs <= nowMs && nowMs < endMs).toBe(true);
        expect(dateOf(startMs, timezone)).toBe(`${name}-01`);
        expect(dateOf(startMs - 1, timezone).startsWith(name)).toBe(false);
        expect(dateOf(endMs - 1, timezone).startsWith(name)).toBe(true);
        expect(dateOf(endMs, timezone).endsWith('-01')).toBe(true);
      }),
    );
  });
});

describe('readLast', () => {
  it.each([
    ['1d', '2026-11-21T03:00:00Z'],
    ['30d', '2026-10-23T03:00:00Z'],
    ['2w', '2026-11-08T03:00:00Z'],
    ['24h', '2026-11-21T01:30:00Z'],
    ['1mo', '2026-10-22T03:00:00Z'],
    ['1MO', '2026-10-22T03:00:00Z'],
    ['1y', '2025-11-22T03:00:00Z'],
    ['1h', '2026-11-22T00:30:00Z'],
    ['3y', '2023-11-22T03:00:00Z'],
    ['13mo', '2025-10-22T03:00:00Z'],
    ['2024y', '0002-11-22T03:06:28Z'],
  ])('on 21 November in São Paulo the last %s begin at %s', (text, start) => {
    expect(iso(readLast(text, saoPaulo))).toBe(start);
  });

  it('a month back from a day that it does not have is its last day', () => {
    const march = baseAt('2026-03-30T12:00:00Z', 'UTC');
    expect(iso(readLast('1mo', march))).toBe('2026-02-28T00:00:00Z');
  });

  it('hours are hours and days are days where a clock changes in between', () => {
    const monday = baseAt('2026-10-26T11:00:00Z', 'Europe/Berlin');
    expect(iso(readLast('48h', monday))).toBe('2026-10-24T11:00:00Z');
    expect(iso(readLast('2d', monday))).toBe('2026-10-24T22:00:00Z');
    const noMidnight = baseAt('2018-11-05T12:00:00Z', 'America/Sao_Paulo');
    expect(iso(readLast('2d', noMidnight))).toBe('2018-11-04T03:00:00Z');
  });

  it.each([
    ...['', '0d', '30', 'd', '30m', '-3d', '1.5d', '30 d', '30days', '1d2h', '99999y', '1e3d'],
    ...['x1d', '1dx', '100000d', '2026y', '01d'],
  ])('readLast refuses %j', (text) => {
    expect(readLast(text, saoPaulo)).toBeUndefined();
  });

  it('the last N days are N dates, of which today is the last', () => {
    fc.assert(
      fc.property(
        nowArbitrary,
        zoneArbitrary,
        fc.integer({ min: 1, max: 400 }),
        (nowMs, timezone, days) => {
          const startMs = readLast(`${days}d`, { nowMs, timezone })!;
          const noon = addDays(startMs, days - 1, timezone);
          expect(dateOf(noon, timezone)).toBe(dateOf(nowMs, timezone));
          expect(dateOf(startMs - 1, timezone)).not.toBe(dateOf(startMs, timezone));
        },
      ),
    );
  });
});
