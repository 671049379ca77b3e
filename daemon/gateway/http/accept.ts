/**
 * Of the content types that there are, the one that `Accept` (RFC 9110, 12.5.1) prefers; the first
 * of equals, and of all where there is no header. Undefined where it accepts none of them.
 */
export function chooseType<T extends string>(
  header: string | undefined,
  types: readonly [T, ...T[]],
): T | undefined {
  if (header === undefined || header.trim() === '') return types[0];
  const ranges = header.slice(0, maxLength).split(',').map(readMediaRange);
  let best: { readonly type: T; readonly quality: number } | undefined;
  for (const type of types) {
    const quality = qualityOf(type, ranges);
    if (quality > (best?.quality ?? 0)) best = { type, quality };
  }
  return best?.type;
}

const maxLength = 1_000;

type MediaRange = { readonly range: string; readonly quality: number };

function readMediaRange(text: string): MediaRange {
  const [range = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const given = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2);
  const quality = given === undefined ? 1 : Number(given);
  return { range, quality: quality >= 0 && quality <= 1 ? quality : 0 };
}

/** The most specific range counts. */
function qualityOf(type: string, ranges: readonly MediaRange[]): number {
  const [kind = ''] = type.split('/');
  for (const wanted of [type, `${kind}/*`, '*/*']) {
    const match = ranges.find(({ range }) => range === wanted);
    if (match) return match.quality;
  }
  return 0;
}

/** In our order of preference. */
const encodings = ['br', 'gzip'] as const;
export type Encoding = (typeof encodings)[number];

/**
 * The encoding in which a text is sent, by `Accept-Encoding` (RFC 9110, 12.5.3); undefined: as it
 * is. Of equals the smaller one.
 */
export function chooseEncoding(header: string | undefined): Encoding | undefined {
  const ranges = (header ?? '').slice(0, maxLength).split(',').map(readMediaRange);
  let best: { readonly encoding: Encoding; readonly quality: number } | undefined;
  for (const encoding of encodings) {
    const match =
      ranges.find(({ range }) => range === encoding) ?? ranges.find(({ range }) => range === '*');
    if (match && match.quality > (best?.quality ?? 0)) best = { encoding, quality: match.quality };
  }
  return best?.encoding;
}
