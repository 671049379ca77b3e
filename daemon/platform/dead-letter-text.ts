import { parseJson } from './dead-letter-replays.ts';

/** Values under names that tell of a secret are taken out; what is no JSON stays as it is. */
export function redact(text: string): string {
  const parsed = parseJson(text);
  if (typeof parsed !== 'object' || parsed === null) return text;
  if (!/password|secret|token|authorization/i.test(text)) return text;
  let count = 0;
  const replaced = JSON.stringify(parsed, (key, value: unknown) => {
    if (!/password|secret|token|authorization/i.test(key)) return value;
    count += 1;
    return '[redacted]';
  });
  return count > 0 ? replaced : text;
}
