/** A text that Postgres takes: without NUL and halves of surrogate pairs, which it refuses. */
export const stripUnstorable = (text: string): string =>
  text.replaceAll('\0', '\ufffd').replace(/\p{Surrogate}/gu, '\ufffd');
