/** Whether `If-None-Match` (RFC 9110, 13.1.2) says that the client has this already. */
export function isUnchanged(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  const tags = header.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  return tags.includes('*') || tags.includes(etag);
}

/** Bytes of a file: the first and the one after the last. */
export type ByteRange = { readonly start: number; readonly end: number };

/**
 * The part that `Range` (RFC 9110, 14.2) asks for. Undefined for the whole: there is no header, it is
 * not in bytes, is malformed, or asks for several parts, which a server may answer with the whole.
 * `unsatisfiable`: the file has none of the bytes.
 */
export function readRange(
  header: string | undefined,
  size: number,
): ByteRange | 'unsatisfiable' | undefined {
  const [, first = '', last = ''] =
    /^bytes=(\d{0,15})-(\d{0,15})$/i.exec(header?.trim() ?? '') ?? [];
  if (first === '' && last === '') return undefined;
  if (first === '') {
    const length = Math.min(Number(last), size);
    return length === 0 ? 'unsatisfiable' : { start: size - length, end: size };
  }
  const start = Number(first);
  const lastAt = last === '' ? Infinity : Number(last);
  if (lastAt < start) return undefined;
  return start >= size ? 'unsatisfiable' : { start, end: Math.min(lastAt + 1, size) };
}
