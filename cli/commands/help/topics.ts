import { describeEnvironment } from './environment.ts';
import { describeExitCodes } from './exit-codes.ts';

type Topic = { readonly summary: string; readonly text: () => string };

/** What `wallet help` explains beside the commands, in the order in which it is listed. */
export const helpTopics: Readonly<Record<string, Topic>> = {
  environment: { summary: 'variables that wallet reads', text: describeEnvironment },
  'exit-codes': { summary: 'what each exit code means', text: describeExitCodes },
  formats: {
    summary: 'output formats, money and JSON',
    text: () => `Output formats (-o, --output; --json is short for --output json):

  table    columns for people, cut to the width of the terminal; the default
  json     one JSON document: an object, or { items, nextPageToken? } for a list
  ndjson   one JSON object for each line: the items of a list, the lines of a statement
  csv      RFC 4180 with a header; UTF-8, CR LF
  hledger  a journal for hledger and ledger (statement show only)

stdout carries data only. Prompts and hints go to stderr, and only if it is a terminal. With json
and ndjson there are no prompts, and each line on stderr is a JSON object: error, warning or note.

Money is a decimal string beside its currency, like "1234.50" and "BRL": never a floating-point
number. JSON keys are stable; a key without a value is omitted. Times in JSON are RFC 3339.

In CSV, a text that a spreadsheet would take for a formula gets a leading apostrophe.
A terminal gets no control characters from texts of others; files and pipes get them unchanged.`,
  },
  times: {
    summary: 'how dates and times are written',
    text: () => `Dates and times (--from, --to, --at, --expires-at):

  2026-11-22                   a date in the zone of the command
  2026-11-22T18:00             a time in the zone of the command
  2026-11-22T18:00:00-03:00    RFC 3339 with an offset, or Z

The zone is --timezone, else WALLET_TIMEZONE, the profile's, the terminal's (TZ).

A date with --from means its beginning. With --to and --at it means its end: the day is included.
A time with --to is excluded. --from and --at must not be in the future.

Durations: --timeout takes 500ms, 30s or 2m; --expires-in takes 12h, 90d or 4w.`,
  },
};
