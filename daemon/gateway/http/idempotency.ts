import { fault, found, type Found } from './problems.ts';

/**
 * The value of the header `Idempotency-Key`: a string of RFC 8941 as the draft
 * draft-ietf-httpapi-idempotency-key-header-07 has it, or the bare text that most clients send.
 */
export function readIdempotencyKey(header: string | undefined): Found<string | undefined> {
  if (header === undefined) return found(undefined);
  const text = header.trim();
  const quoted = /^"((?:[^"\\]|\\["\\])*)"$/.exec(text)?.[1];
  const key = quoted === undefined ? text : quoted.replace(/\\(["\\])/g, '$1');
  const isBad = key === '' || key.length > 255 || (quoted === undefined && text.includes('"'));
  if (!isBad && /^[\x20-\x7e]+$/.test(key)) return found(key);
  const message = 'the header Idempotency-Key must have 1 to 255 characters of ASCII';
  return { ok: false, fault: fault('INVALID_ARGUMENT', message, { field: 'Idempotency-Key' }) };
}

/** The key of a request that moves money. */
export function requireIdempotencyKey(header: string | undefined): Found<string> {
  const read = readIdempotencyKey(header);
  if (!read.ok) return read;
  if (read.value !== undefined) return found(read.value);
  const message =
    'the header Idempotency-Key is missing: give each transaction a key of its own, and the same ' +
    'key when you send it again (/docs)';
  return {
    ok: false,
    fault: fault('IDEMPOTENCY_KEY_REQUIRED', message, { field: 'Idempotency-Key' }),
  };
}
