import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { wallClockMs } from './calendar.ts';
import {
  createZoneClock,
  createZonedFormatter,
  formatOffset,
  formatZonedInstant,
} from './zone-clock.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
const at = (iso: string): number => Date.parse(iso);

const zones = [
  ...['UTC', 'America/New_York', 'Europe/Berlin', 'America/Sao_Paulo', 'Asia/Kolkata'],
  ...['Australia/Lord_Howe', 'America/St_Johns', 'Pacific/Apia'],
];

/** Days on which some zone changes its clock, and the days around them. */
const changes = ['2026-03-08', '2026-03-29', '2026-11-01', '2018-11-04', '2011-12-30'];
const instants = fc.oneof(
  fc.integer({ min: at('1990-01-01'), max: at('2037-01-01') }),
  fc
    .tuple(fc.constantFrom(...changes), fc.integer({ min: -2 * dayMs, max: 2 * dayMs }))
    .map(([day, offsetMs]) => at(day) + offsetMs),
);

describe('createZoneClock', () => {
  it('one clock gives the offset of each instant, in any order of the instants', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...zones),
        fc.array(instants, { minLength: 2, maxLength: 8 }),
        (timezone, some) => {
          const offsetOf = createZoneClock(timezone);
          // Each twice: the second answer may come from what is remembered.
          for (const instantMs of [...some, ...some]) {
            expect(offsetOf(instantMs)).toBe(wallClockMs(instantMs, timezone) - instantMs);
          }
        },
      ),
    );
  });

  it('a clock that has seen more days than it remembers stays right', () => {
    const offsetOf = createZoneClock('Europe/Berlin');
    const startMs = at('2010-01-01');
    for (let day = 0; day < 4_100; day += 1) offsetOf(startMs + day * dayMs);
    expect(offsetOf(at('2010-07-01'))).toBe(2 * hourMs);
    expect(offsetOf(at('2010-12-01'))).toBe(hourMs);
  });

  it('on the day of a change each instant has its own offset', () => {
    const offsetOf = createZoneClock('America/New_York');
    const hours = ['06:59:59.999', '07:00', '12:00', '06:00'].map(
      (time) => offsetOf(at(`2026-03-08T${time}Z`)) / hourMs,
    );
    expect(hours).toEqual([-5, -4, -4, -5]);
  });
});

describe('formatOffset', () => {
  it.each([
    [0, '+00:00'],
    [-3 * hourMs, '-03:00'],
    [5 * hourMs + 45 * minuteMs, '+05:45'],
    [-(9 * hourMs + 30 * minuteMs), '-09:30'],
    [-minuteMs, '-00:01'],
    [14 * hourMs, '+14:00'],
    // Offsets of old times have seconds.
    [-(44 * minuteMs + 30_001), '-00:45'],
    [44 * minuteMs + 29_999, '+00:44'],
  ])('an offset of %i ms is written %s', (offsetMs, text) => {
    expect(formatOffset(offsetMs)).toBe(text);
  });
});

describe('times of a zone', () => {
  it('an instant is written with its milliseconds and its offset', () => {
    const instantMs = at('2026-11-23T00:42:10.007Z');
    expect(formatZonedInstant(instantMs, -3 * hourMs)).toBe('2026-11-22T21:42:10.007-03:00');
    expect(createZonedFormatter('America/Sao_Paulo')(instantMs)).toBe(
      '2026-11-22T21:42:10.007-03:00',
    );
  });

  it('a formatter writes each of many instants as if it were the only one', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...zones),
        instants,
        fc.array(fc.integer({ min: -2 * hourMs, max: 2 * hourMs }), { maxLength: 12 }),
        (timezone, startMs, steps) => {
          const format = createZonedFormatter(timezone);
          let instantMs = startMs;
          for (const stepMs of [0, 1, 999, 59_000, ...steps]) {
            instantMs += stepMs;
            const offsetMs = wallClockMs(instantMs, timezone) - instantMs;
            expect(format(instantMs)).toBe(formatZonedInstant(instantMs, offsetMs));
          }
        },
      ),
    );
  });

  it('of an hour that a clock shows twice both are written with their own offset', () => {
    const format = createZonedFormatter('America/New_York');
    const [first, second] = [at('2026-11-01T05:30:00Z'), at('2026-11-01T06:30:00Z')];
    expect([first, second, first].map(format)).toEqual([
      '2026-11-01T01:30:00.000-04:00',
      '2026-11-01T01:30:00.000-05:00',
      '2026-11-01T01:30:00.000-04:00',
    ]);
  });
});
