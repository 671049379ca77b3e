import { instantOfWallClock, isTimezone, nextDay, parseDate } from '../../../core/time/calendar.ts';
import { z } from 'zod';

import { timeOf } from './fields.ts';
import { fault, found, type Found } from './problems.ts';

/** The period of a statement, as a query or a body has it. */
export const rangeFields = {
  from: z.string().max(40).optional().meta({
    description: 'A date or a time of RFC 3339; default 15 days before `to`',
    example: '2026-11-01',
  }),
  to: z.string().max(40).optional().meta({
    description: 'A date, whose day is included, or a time, which is not; default now',
    example: '2026-11-15',
  }),
  timezone: z.string().max(64).optional().meta({
    description: 'IANA name; default UTC. Dates are days of this zone.',
    example: 'America/Sao_Paulo',
  }),
} as const;

type RangeTexts = {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly timezone?: string | undefined;
};

/** A half-open range; what is left out is the service's to fill in. */
type Range = {
  readonly from: Date | undefined;
  readonly to: Date | undefined;
  readonly timezone: string;
};

/** Reads a range. A date alone is the first instant of its day, or, as `to`, that of the next. */
export function rangeOf({ from, to, timezone = '' }: RangeTexts): Found<Range> {
  if (timezone !== '' && !isTimezone(timezone)) {
    const message = 'timezone must be an IANA name, like America/Sao_Paulo';
    return { ok: false, fault: fault('INVALID_ARGUMENT', message, { field: 'timezone' }) };
  }
  const first = instantOf(from, 'from', timezone);
  if (!first.ok) return first;
  const end = instantOf(to, 'to', timezone);
  return end.ok ? found({ from: first.value, to: end.value, timezone }) : end;
}

function instantOf(
  text: string | undefined,
  field: 'from' | 'to',
  timezone: string,
): Found<Date | undefined> {
  if (text?.length !== 10) return timeOf(text, field);
  const wallMs = parseDate(text);
  if (wallMs === undefined) {
    const message = `${field} must be a date like 2026-11-22, or a time of RFC 3339 with an offset`;
    return { ok: false, fault: fault('INVALID_ARGUMENT', message, { field }) };
  }
  const edgeMs = field === 'from' ? wallMs : nextDay(wallMs);
  return found(new Date(instantOfWallClock(edgeMs, timezone === '' ? 'UTC' : timezone)));
}
