/** How many columns of a terminal a text takes. */
export type TextWidth = (text: string) => number;

/** Each of these characters takes one column. */
const narrowText = /^[\x20-\x7e\u00c0-\u024f\u2026]*$/;

/** Measures texts like these. The library for all of Unicode loads only where they need it. */
export async function loadTextWidth(rows: readonly (readonly string[])[]): Promise<TextWidth> {
  if (rows.every((row) => row.every((text) => narrowText.test(text)))) return (text) => text.length;
  const { default: stringWidth } = await import('string-width');
  return (text) => (narrowText.test(text) ? text.length : stringWidth(text));
}

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** A text in `width` columns: where it is longer, its beginning and an ellipsis. */
export function cutText(text: string, width: number, widthOf: TextWidth): string {
  if (widthOf(text) <= width) return text;
  let cut = '';
  let left = width - 1;
  // No character takes less room than none, and no line of a terminal has this many.
  for (const { segment } of graphemes.segment(text.slice(0, 16 * width))) {
    left -= widthOf(segment);
    if (left < 0) break;
    cut += segment;
  }
  return `${cut}…`;
}
