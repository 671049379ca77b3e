import { extname } from 'node:path';

import { failUnknown, failUsage, succeed, type Outcome } from '../../outcome.ts';

const formats = ['csv', 'ndjson'] as const;
type Format = (typeof formats)[number];

const ndjsonEndings: ReadonlySet<string> = new Set(['.ndjson', '.jsonl']);
const csvEndings: ReadonlySet<string> = new Set(['.csv', '.tsv', '.txt', '']);

/**
 * What `--input-format` says, else the ending of the file's name; a name without one is CSV. Results
 * that are not finished end in `.partial`.
 */
export function chooseInputFormat(file: string, text: string | undefined): Outcome<Format> {
  if (text !== undefined) {
    const known = formats.find((format) => format === text);
    return known ? succeed(known) : failUnknown('input-format', text, formats);
  }
  const ending = endingOf(file.replace(/\.partial$/, ''));
  if (ndjsonEndings.has(ending)) return succeed('ndjson');
  if (csvEndings.has(ending)) return succeed('csv');
  const message = `the ending ${JSON.stringify(ending)} is of no format that a batch can have`;
  return failUsage('file', message, 'save it as CSV, or name its format with --input-format');
}

/** By the ending of the name of the results; a name without one is CSV. */
export function chooseResultsFormat(results = ''): Outcome<Format> {
  const ending = endingOf(results);
  if (ndjsonEndings.has(ending)) return succeed('ndjson');
  if (csvEndings.has(ending)) return succeed('csv');
  const message = `the ending ${JSON.stringify(ending)} is of no format that results can have`;
  return failUsage('results', message, 'name a file that ends in .csv or .ndjson');
}

const endingOf = (name: string): string => extname(name).toLowerCase();
